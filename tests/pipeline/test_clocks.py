"""Closings that no rule predicts, clocks that change or are wrong, a year's end, publications off schedule."""

import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otcpipe import resources, schedule, settings, weeks
from otcpipe.monitoring import calendar_check, doctor
from otcpipe.monitoring.checks import CHECKS
from otcpipe.pipeline import coverage, definition, oddities, sessions
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.schedule import Job, JobContext
from otcpipe.storage import keys
from otcpipe.weeks import NEW_YORK, trading_calendar
from tests.support.pipeline import api_text, drive, file_text, observe, reconciled

Sql = Callable[..., list[tuple[Any, ...]]]
Here = Callable[..., subprocess.CompletedProcess[str]]
DAY, WEEK = timedelta(days=1), timedelta(days=7)
CLOSINGS = [date(2012, 10, 29), date(2012, 10, 30), date(2018, 12, 5), date(2025, 1, 9)]
MOURNING = date(2025, 1, 10)  # the week of a closing on its Thursday
PER_DAY = "select volume_per_day from otc.symbol_summary where week_ending = %s and scope = 'ATS'"


def load(week: date, at: datetime, tier: str = "T1", shares: int = 100) -> None:
    partition, published = Partition(week, tier), at.astimezone(NEW_YORK).date()
    row = {
        "totalWeeklyShareQuantity": shares,
        "initialPublishedDate": published,
        "lastUpdateDate": published,
    }
    drive(observe(api_text([row], partition), partition, at, "all"))


def morning(day: date, hour: int = 7) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=NEW_YORK)


def state(partition: Partition, now: datetime) -> str:
    found = coverage.cells(resources.database(), now, None, partition.week_ending, partition.week_ending)
    return next(str(cell) for cell in found if cell.partition == partition)


@pytest.mark.parametrize("day", CLOSINGS, ids=str)
def test_an_unscheduled_closing_is_no_trading_day_and_the_days_around_it_are(day: date) -> None:
    days = trading_calendar.trading_days(weeks.week_ending(day))
    assert day not in days
    assert {one for one in days if one in CLOSINGS} == set()
    assert len(days) == (3 if day.year == 2012 else 4)


def test_after_two_closed_days_publication_is_on_the_third() -> None:
    friday = date(2012, 10, 12)
    assert weeks.published_on(friday, "T1") == date(2012, 10, 31)


@pytest.mark.parametrize("week", [date(2018, 12, 7), MOURNING], ids=str)
def test_volume_by_day_counts_the_days_that_were_traded(environment: dict[str, str], sql: Sql, week: date) -> None:
    load(week, morning(weeks.published_on(week, "T1")))
    load(week + WEEK, morning(weeks.published_on(week + WEEK, "T1")))
    assert sql(PER_DAY, week) == [(Decimal(25),)]
    assert sql(PER_DAY, week + WEEK) == [(Decimal(20),)]


def test_a_closing_that_the_calendar_learns_later_is_put_right(here: Here, sql: Sql) -> None:
    load(MOURNING, morning(weeks.published_on(MOURNING, "T1")))
    sql("update otc.trading_week set trading_days = 5")  # as a calendar of 2024 had it
    sql("update otc.symbol_summary set volume_per_day = 20")
    assert sessions.outdated(resources.database()) == [MOURNING]
    found = {
        one.check: one for one in doctor.examine(resources.settings(), [c for c in CHECKS if c[0] == "calendar"])
    }
    assert (found["calendar"].verdict, str(MOURNING) in found["calendar"].finding) == ("warn", True)
    assert "would have 4 trading days" in here("reconcile", "--dry-run").stdout
    assert sql(PER_DAY, MOURNING) == [(Decimal(20),)]
    assert sessions.correct(resources.database(), morning(date(2025, 3, 1))) == [MOURNING]
    drive(*reconciled())
    assert sql(PER_DAY, MOURNING) == [(Decimal(25),)]
    assert sessions.correct(resources.database(), morning(date(2025, 3, 1))) == []
    assert "trading day" not in here("reconcile").stdout


@pytest.mark.parametrize(("days", "verdict"), [(1, "ok"), (183, "ok"), (185, "warn"), (4000, "warn")])
def test_the_age_of_the_calendars_library_is_judged(environment: dict[str, str], days: int, verdict: str) -> None:
    installed = calendar_check.installed_at()
    found = settings.load(environment | {"OTCPIPE_NOW": (installed + days * DAY).isoformat()})
    [one] = doctor.examine(found, [check for check in CHECKS if check[0] == "calendar"])
    assert one.verdict == verdict
    assert f"installed on {installed:%Y-%m-%d}" in one.finding


@pytest.mark.parametrize(("monday", "hour"), [(date(2026, 3, 9), 10), (date(2026, 11, 2), 11)], ids=str)
def test_after_a_night_on_which_clocks_change_a_week_is_due_at_six_in_new_york(monday: date, hour: int) -> None:
    due = datetime(monday.year, monday.month, monday.day, hour, tzinfo=UTC)
    for tier in ("T1", "T2", "OTCE"):
        friday = weeks.week_published_on(monday, tier)
        moment = timedelta(microseconds=1)
        assert weeks.due_at(friday, tier) == due
        assert weeks.newest_published(due - moment, tier) == friday - WEEK
        assert weeks.newest_published(due, tier) == friday
        assert weeks.state_of(friday, tier, due + 2 * DAY - moment) == "due"
        assert weeks.days_late(friday, tier, due + 2 * DAY) == 2
        assert weeks.days_late(friday - WEEK, tier, due) == 6 + (
            hour == 11
        )  # by hours, of which a week lost or won one


@pytest.mark.parametrize("minute", range(0, 180, 10))
def test_in_the_hour_that_comes_twice_the_day_and_the_newest_week_stay_the_same(minute: int) -> None:
    moment = datetime(2026, 11, 1, 4, tzinfo=UTC) + timedelta(minutes=minute)  # from midnight in New York
    assert weeks.today(moment) == date(2026, 11, 1)
    assert weeks.newest_published(moment, "T1") == date(2026, 10, 9)
    assert weeks.parse_as_of("2026-10-31", moment) < moment.replace(tzinfo=UTC)


def test_a_week_across_the_years_end_is_one_week(environment: dict[str, str], sql: Sql) -> None:
    friday = date(2026, 1, 2)
    assert {weeks.week_ending(date(2025, 12, 29) + day * DAY) for day in range(7)} == {friday}
    assert trading_calendar.trading_days(friday)[-1] == friday
    assert len(trading_calendar.trading_days(friday)) == 4
    assert weeks.published_on(friday, "T1") == date(2026, 1, 20), "the Tuesday after Martin Luther King's day"
    for week in (friday - WEEK, friday, friday + WEEK):
        load(week, morning(weeks.published_on(week, "T1")), shares=400)
    by_day = sql("select volume_per_day from otc.symbol_summary where scope = 'ATS' order by week_ending")
    assert by_day == [(100,), (100,), (80,)]
    assert sql(
        "select weeks_in_window, avg_6w_volume from otc.symbol_rolling_avg where week_ending = %s and scope = 'ATS'",
        friday + WEEK,
    ) == [(3, Decimal(400))]


def test_a_publication_a_day_early_is_neither_missed_nor_late(
    here: Here, environment: dict[str, str], sql: Sql
) -> None:
    friday = date(2025, 11, 14)
    due = weeks.published_on(friday, "T1")
    early = Path(environment["OTCPIPE_HOME"]).parent / "early.csv"
    early.write_bytes(file_text([("A", "AAAA", 1, 1)], "T1", updated_on=due - DAY))
    clock = {"OTCPIPE_NOW": morning(due - DAY).isoformat()}
    refused = here("import", early, **clock)
    assert (refused.returncode, "is not a publication date" in refused.stderr) == (2, True)
    assert here("import", early, "--week", friday, **clock).returncode == 0
    assert "not due before" in here("enqueue", "--week", friday, "--tier", "T1", **clock).stdout
    [[key]] = sql("select key from otc.stage_run where state = 'queued'")
    drive(Run(definition.named("cache"), keys.parse(key, environment["OTCPIPE_S3_PREFIX"])))
    assert state(Partition(friday, "T1"), morning(due + 30 * DAY)) == "partial"
    load(friday, morning(due - DAY))
    assert state(Partition(friday, "T1"), morning(due + 30 * DAY)) == "done"


def test_a_publication_a_week_late_is_late_until_it_is_loaded(environment: dict[str, str], sql: Sql) -> None:
    friday = date(2025, 11, 14)
    partition, late = Partition(friday, "T1"), weeks.published_on(friday, "T1") + WEEK
    assert state(partition, morning(late)) == "late 7d"
    load(friday, morning(late))
    assert state(partition, morning(late)) == "done"
    known = "select certainty, available_at from otc.venue_volume_as_of(now())"
    assert sql(known) == [("observed", morning(late, 6))]
    assert sql("select * from otc.venue_volume_as_of(%s)", morning(late - DAY)) == []
    assert sql("select * from otc.loaded_as_of(%s)", morning(late - DAY)) == [], "and no volume of 0"
    assert sql("select published_on from otc.capture") == [(late,)]


def test_after_a_step_of_the_clock_back_no_job_runs_twice_and_the_next_time_it_runs(
    environment: dict[str, str],
) -> None:
    calls = list[datetime]()

    def call(context: JobContext) -> str:
        calls.append(context.now)
        return "called"

    job = Job("otc-tier1-weekly", "SCHEDULE_TIER1", call)
    wednesday = datetime(2026, 11, 18, 6, tzinfo=NEW_YORK)
    schedule.begin(resources.database(), wednesday - DAY)
    for now in (wednesday, wednesday - DAY, wednesday - 40 * DAY, wednesday, wednesday + WEEK):
        context = JobContext(now, resources.database(), resources.store(), resources.settings(), lambda _: None, list)
        schedule.fire_due(context, [job])
    assert calls == [wednesday, wednesday + WEEK]


def test_an_observation_by_a_clock_that_was_set_back_is_named(environment: dict[str, str]) -> None:
    friday = date(2025, 11, 14)
    load(friday, morning(date(2025, 12, 3)))
    restated = [{"totalWeeklyShareQuantity": 150, "lastUpdateDate": date(2025, 12, 8)}]
    partition = Partition(friday, "T1")
    drive(observe(api_text(restated, partition), partition, morning(date(2025, 12, 2)), "all"))
    [sentence] = oddities.find(resources.database(), morning(date(2025, 12, 9)))
    assert "a clock was wrong" in sentence
