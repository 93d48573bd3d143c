"""The NYSE's calendar: trading days and early closings of a week."""

from collections.abc import Container
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from importlib import import_module

WEEKDAYS = 5
HALF = Decimal("0.5")  # what a day that closes at 13:00 counts


def trading_days(friday: date) -> list[date]:
    """Return the trading days of the week that ends on the Friday."""
    days = (friday - timedelta(days=back) for back in reversed(range(WEEKDAYS)))
    return [day for day in days if day not in closings()]


def half_days(friday: date) -> list[date]:
    """Return the trading days of the week that close at 13:00 New York time."""
    return [day for day in trading_days(friday) if day in _early_closings()]


def trading_time(friday: date) -> Decimal:
    """Return the length of the week in trading days, to compare volumes of different weeks; a half day counts 0.5."""
    return len(trading_days(friday)) - HALF * len(half_days(friday))


def closings() -> Container[date]:
    """Return the holidays on which the exchange is closed, without weekends."""
    return _days("public")


def _early_closings() -> Container[date]:
    return _days("half_day")


@cache
def _days(category: str) -> Container[date]:
    # Imported on first use: importing the library takes longer than most commands run.
    module = import_module("holidays.financial.ny_stock_exchange")
    found: Container[date] = module.NewYorkStockExchange(categories=(category,))
    return found
