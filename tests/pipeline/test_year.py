"""Weeks in a row: the calendar, the schedule, the stages and coverage together, on a clock that is moved by hand."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from otcpipe.datasets import TIERS
from otcpipe.records import Partition
from tests.support.year import DAY, Year, year

Sql = Callable[..., list[tuple[Any, ...]]]
WEEK = timedelta(days=7)


def fires_are_single(lived: Year, sql: Sql) -> None:
    """Each job fired once for each of its times, with two schedulers."""
    assert max(Counter(lived.fired).values()) == 1
    rows = sql("select job, count(*) from otc_internal.schedule_fire where outcome <> 'first start' group by 1")
    assert dict(rows) == Counter(job for job, _ in lived.fired)
    assert sql("select count(*) from otc_internal.schedule_fire where finished_at is null") == [(0,)]


def test_six_weeks_with_a_holiday_a_late_week_an_absence_and_a_restatement(
    environment: dict[str, str], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, end = date(2026, 1, 12), date(2026, 2, 22)
    since = {"T1": date(2025, 12, 26), "T2": date(2025, 12, 12), "OTCE": date(2025, 12, 12)}
    held_back = Partition(date(2026, 1, 2), "T1")  # due on Tuesday 20 January, after Martin Luther King's day
    changed = Partition(date(2025, 12, 19), "T2")
    mondays = [since["T2"] - 4 * DAY + number * WEEK for number in range(10)]
    late, restated, down = (
        {held_back: date(2026, 1, 28)},
        {date(2026, 2, 3): changed},
        (date(2026, 2, 5), date(2026, 2, 14)),
    )
    monkeypatch.setenv("OTCPIPE_SCHEDULE_REFRESH", "0 18 12 * *")  # while no scheduler runs: caught up afterwards
    with year(mondays, late, restated, down) as lived:
        lived.live(start, date(2026, 1, 20))
        assert {one: state for one, state in lived.covered().items() if state != "done"} == {held_back: "due"}
        lived.live(date(2026, 1, 21), date(2026, 1, 25))
        assert {one: state for one, state in lived.covered().items() if state != "done"} == {held_back: "late 5d"}
        lived.live(date(2026, 1, 26), date(2026, 2, 14))
        assert set(lived.covered().values()) == {"done"}
        lived.live(date(2026, 2, 15), end)
        expected = dict.fromkeys(lived.due(since), "done") | {changed: "restated 1x"}
        assert lived.covered() == expected
        assert len(expected) == 3 * 6
        fires_are_single(lived, sql)
    assert sql("select count(*) from otc_internal.metric_due") == [(0,)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_year_with_its_holidays_late_weeks_three_weeks_absence_and_a_restatement_a_month(
    environment: dict[str, str], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTCPIPE_SCHEDULE_REFRESH", "0 18 1-7 * thu")  # monthly, for the sake of time
    start, end = date(2025, 3, 3), date(2026, 3, 1)
    since = {"T1": date(2025, 2, 14), "T2": date(2025, 1, 31), "OTCE": date(2025, 1, 31)}
    mondays = [since["T2"] - 4 * DAY + number * WEEK for number in range(60)]
    late = {
        Partition(date(2025, 4, 18), "T1"): date(2025, 5, 20),
        Partition(date(2025, 8, 1), "OTCE"): date(2025, 9, 12),
        Partition(date(2026, 1, 2), "T2"): date.max,  # never
    }
    restated = {
        date(2025, 4, 10) + number * 30 * DAY: Partition(since["T1"] + number * 4 * WEEK, tier)
        for number, tier in enumerate(list(TIERS) * 3)
    }
    with year(mondays, late, restated, (date(2025, 11, 20), date(2025, 12, 10))) as lived:
        lived.live(start, end)
        gap = Partition(date(2026, 1, 2), "T2")
        expected = dict.fromkeys(lived.due(since), "done") | dict.fromkeys(restated.values(), "restated 1x")
        assert lived.covered() == expected | {gap: "late 27d"}
        fires_are_single(lived, sql)
