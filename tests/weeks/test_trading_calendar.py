from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe.weeks import trading_calendar, week_ending

WEEKS = {
    "an ordinary week": (date(2025, 11, 14), 5, 0),
    "Columbus Day is traded": (date(2025, 10, 17), 5, 0),
    "Labor Day": (date(2025, 9, 5), 4, 0),
    "Good Friday": (date(2025, 4, 18), 4, 0),
    "a day of mourning": (date(2025, 1, 10), 4, 0),
    "Thanksgiving, and a half day after it": (date(2025, 11, 28), 4, 1),
    "Christmas, and a half day before it": (date(2025, 12, 26), 4, 1),
    "Independence Day, and a half day before it": (date(2025, 7, 4), 4, 1),
    "Independence Day on a Sunday": (date(2021, 7, 9), 4, 0),
    "Hurricane Sandy": (date(2012, 11, 2), 3, 0),
}


@pytest.mark.parametrize(("friday", "days", "halves"), WEEKS.values(), ids=WEEKS)
def test_a_week_has_its_trading_days_and_half_days(friday: date, days: int, halves: int) -> None:
    assert (len(trading_calendar.trading_days(friday)), len(trading_calendar.half_days(friday))) == (days, halves)
    assert trading_calendar.trading_time(friday) == days - halves * Decimal("0.5")


def test_the_half_day_after_thanksgiving_is_a_friday() -> None:
    friday = date(2026, 11, 27)
    assert trading_calendar.half_days(friday) == [friday]
    assert trading_calendar.trading_days(friday) == [friday - timedelta(days=back) for back in (4, 3, 2, 0)]


@given(st.dates(date(2014, 1, 1), date(2035, 1, 1)))
def test_every_week_has_three_to_five_trading_days_from_monday_to_friday_in_order(day: date) -> None:
    days = trading_calendar.trading_days(week_ending(day))
    assert 3 <= len(days) <= 5
    assert days == sorted(days)
    assert all(one.weekday() < 5 and week_ending(one) == week_ending(day) for one in days)
    assert trading_calendar.trading_time(week_ending(day)) >= 3
