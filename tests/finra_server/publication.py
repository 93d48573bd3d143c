"""When FINRA publishes a week, and the Mondays on which it does not."""

from datetime import date, timedelta

LAG = {"T1": 21}
"""Days from a week's Monday to its publication; every other tier waits 35."""


def published_on(week_start: date, tier: str) -> date:
    """The first day on which a partition can be had: a Monday, or the Tuesday after an NYSE holiday."""
    monday = week_start + timedelta(days=LAG.get(tier, 35))
    return monday + timedelta(days=1) if _is_nyse_holiday(monday) else monday


def _is_nyse_holiday(monday: date) -> bool:
    """Columbus and Veterans Day are not among them: the exchange is open and FINRA publishes."""
    if monday.month in (1, 2) and 15 <= monday.day <= 21:
        return True
    last_of_may = monday.month == 5 and monday.day >= 25
    first_of_september = monday.month == 9 and monday.day <= 7
    return last_of_may or first_of_september or _observed(monday) or _observed(monday - timedelta(days=1))


def _observed(day: date) -> bool:
    """A holiday with a fixed date; a Saturday's is kept on Friday, so it never reaches the Monday."""
    fixed = {(1, 1), (7, 4), (12, 25)} | ({(6, 19)} if day.year >= 2022 else set())
    return (day.month, day.day) in fixed
