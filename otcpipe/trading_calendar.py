"""The NYSE's calendar: which days of a week are traded, and which of them close early."""

from collections.abc import Container
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from importlib import import_module

DAYS = 5  # Monday to Friday
HALF = Decimal("0.5")  # a day that closes at 13:00 counts for half of one


def trading_days(friday: date) -> list[date]:
    """The days of the week ending on the Friday on which the exchange opens."""
    days = (friday - timedelta(days=back) for back in reversed(range(DAYS)))
    return [day for day in days if day not in closings()]


def half_days(friday: date) -> list[date]:
    """Those trading days of the week that close at 13:00 New York time."""
    return [day for day in trading_days(friday) if day in _early_closings()]


def trading_time(friday: date) -> Decimal:
    """The week's length in whole trading days; by this, volumes of different weeks compare."""
    return len(trading_days(friday)) - HALF * len(half_days(friday))


def closings() -> Container[date]:
    """The days, weekends apart, on which the exchange stays shut."""
    return _days("public")


def _early_closings() -> Container[date]:
    return _days("half_day")


@cache
def _days(category: str) -> Container[date]:
    """The library takes longer to import than most commands to run, so only who asks waits."""
    module = import_module("holidays.financial.ny_stock_exchange")
    found: Container[date] = module.NewYorkStockExchange(categories=(category,))
    return found
