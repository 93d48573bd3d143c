"""The schedule: its times in summer and winter, each fire once with any number of schedulers, missed fires."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otcpipe import resources, schedule
from otcpipe.cli import schedule as shown
from otcpipe.errors import Invalid, Unreachable
from otcpipe.pipeline import ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.schedule import JOBS, Job, JobContext, plan
from otcpipe.settings import DEFAULTS
from otcpipe.stages import versions
from otcpipe.weeks import NEW_YORK
from tests.conftest import changed_environment
from tests.support.interrupts import IGNORING_SIGINT
from tests.support.pipeline import WEEK, drive, fail, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Otcpipe = Callable[..., "subprocess.CompletedProcess[str]"]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TUESDAY = datetime(2026, 11, 17, 12, tzinfo=NEW_YORK)
WEDNESDAY = datetime(2026, 11, 18, 6, tzinfo=NEW_YORK)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given UTC


def times(text: str, after: datetime, number: int) -> list[datetime]:
    trigger, found = plan.trigger("SCHEDULE_TIER1", text), [after]
    for _ in range(number):
        following = plan.following(trigger, found[-1])
        assert following
        found.append(following)
    return found[1:]


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)], ids=["to summer", "to winter"])
def test_wednesday_at_six_is_at_six_in_new_york_whatever_the_clocks_did(day: date) -> None:
    fires = times("0 6 * * wed", datetime(day.year, day.month, day.day, tzinfo=UTC) - 10 * DAY, 4)
    assert [f"{fire.astimezone(NEW_YORK):%a %H:%M}" for fire in fires] == ["Wed 06:00"] * 4
    assert len({fire.hour for fire in fires}) == 2
    assert {
        later.astimezone(NEW_YORK).date() - one.astimezone(NEW_YORK).date() for one, later in pairwise(fires)
    } == {7 * DAY}


@pytest.mark.parametrize(
    "text", ["*/5 * * * *", "30 1 * * *", "30 2 * * *", "0 0 * * sun", DEFAULTS["SCHEDULE_PUBLICATION"]]
)
@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from([datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC)]), st.integers(0, 300)
)
def test_fires_go_forward_through_the_nights_on_which_clocks_change(text: str, night: datetime, minutes: int) -> None:
    fires = times(text, night + minutes * MINUTE, 12)
    assert all(one < later for one, later in pairwise(fires))
    if text.startswith("*/5"):
        assert {later - one for one, later in pairwise(fires)} == {5 * MINUTE}


@settings(max_examples=40, deadline=None)
@given(MOMENTS, st.integers(0, 60 * 24 * 400), st.sampled_from([DEFAULTS[job.setting] for job in JOBS]))
def test_what_was_missed_is_the_last_fire_of_the_absence(now: datetime, minutes: int, text: str) -> None:
    after, trigger = now - minutes * MINUTE, plan.trigger("SCHEDULE_TIER1", text)
    found, following = plan.latest(trigger, after, now), plan.following(trigger, after)
    assert following
    assert (found is None) == (following > now)
    if found:
        then = plan.following(trigger, found)
        assert after < found <= now
        assert then
        assert then > now


def test_a_schedule_may_be_off() -> None:
    off = plan.trigger("SCHEDULE_TIER1", "off")
    assert off is None
    assert plan.latest(off, TUESDAY, WEDNESDAY) is None


@pytest.mark.parametrize("text", ["", "wed", "0 6 * *", "0 25 * * wed", "0 6 * * foo", "0 6 * * wed *", "never"])
def test_a_schedule_that_is_none_is_named(text: str) -> None:
    with pytest.raises(Invalid, match="OTCPIPE_SCHEDULE_TIER1 must be `off` or minute, hour, day"):
        plan.trigger("SCHEDULE_TIER1", text)


@pytest.mark.parametrize("text", ["0 6 * * 3", "0 6 * * 0-4"])
def test_a_weekday_by_number_is_refused_since_it_means_two_things(text: str) -> None:
    with pytest.raises(Invalid, match="OTCPIPE_SCHEDULE_TIER1 must name its days of the week"):
        plan.trigger("SCHEDULE_TIER1", text)


@pytest.fixture
def calls() -> list[datetime]:
    return []


@pytest.fixture
def jobs(calls: list[datetime]) -> list[Job]:
    def call(context: JobContext) -> str:
        time.sleep(0.05)  # so that two run together
        calls.append(context.now)
        return "called"

    return [Job("otc-tier1-weekly", "SCHEDULE_TIER1", call)]


def at(now: datetime) -> JobContext:
    return JobContext(now, resources.database(), resources.store(), resources.settings(), lambda _: None, list)


def test_a_job_fires_at_its_time_and_not_before_or_twice(
    environment: dict[str, str], jobs: list[Job], calls: list[datetime]
) -> None:
    schedule.begin(resources.database(), TUESDAY)
    moments = [TUESDAY, WEDNESDAY - MINUTE, WEDNESDAY, WEDNESDAY, WEDNESDAY + MINUTE, WEDNESDAY + 7 * DAY]
    fired = [schedule.fire_due(at(moment), jobs) for moment in moments]
    assert [len(names) for names in fired] == [0, 0, 1, 0, 0, 1]
    assert calls == [WEDNESDAY, WEDNESDAY + 7 * DAY]


def test_many_schedulers_at_once_fire_once(
    environment: dict[str, str], jobs: list[Job], calls: list[datetime], sql: Sql
) -> None:
    schedule.begin(resources.database(), TUESDAY)
    with ThreadPoolExecutor(8) as pool:
        fired = list(pool.map(lambda _: schedule.fire_due(at(WEDNESDAY), jobs), range(8)))
    assert sorted(fired, key=len)[-2:] == [[], ["otc-tier1-weekly"]]
    assert len(calls) == 1
    told = "select outcome from otc_internal.schedule_fire where job = 'otc-tier1-weekly' order by scheduled_for"
    assert sql(told) == [("first start",), ("called",)]


def test_what_was_missed_for_weeks_is_caught_up_once(
    environment: dict[str, str], jobs: list[Job], calls: list[datetime]
) -> None:
    schedule.begin(resources.database(), TUESDAY)
    back = WEDNESDAY + 30 * DAY
    schedule.begin(resources.database(), back)
    for _ in range(3):
        schedule.fire_due(at(back), jobs)
    assert calls == [back]


def test_a_fire_that_fails_or_whose_process_dies_is_done_later(
    environment: dict[str, str], jobs: list[Job], calls: list[datetime], sql: Sql
) -> None:
    def fails(_: JobContext) -> str:
        raise Unreachable("Redis does not answer.")

    def dies(_: JobContext) -> str:
        raise KeyboardInterrupt

    schedule.begin(resources.database(), TUESDAY)
    assert schedule.fire_due(at(WEDNESDAY), [Job("otc-tier1-weekly", "SCHEDULE_TIER1", fails)]) == []
    with pytest.raises(KeyboardInterrupt):
        schedule.fire_due(at(WEDNESDAY), [Job("otc-tier1-weekly", "SCHEDULE_TIER1", dies)])
    assert schedule.fire_due(at(WEDNESDAY), jobs) == [], "it may still be running"
    sql("update otc_internal.schedule_fire set fired_at = now() - interval '11 minutes' where finished_at is null")
    assert len(schedule.fire_due(at(WEDNESDAY), jobs)) == 1
    assert len(calls) == 1


def test_wednesdays_jobs_ask_for_the_due_and_missing_of_their_tiers(environment: dict[str, str]) -> None:
    sent: list[Run] = []
    context = JobContext(
        WEDNESDAY + 2 * 60 * MINUTE, resources.database(), resources.store(), resources.settings(), sent.append, list
    )
    schedule.begin(resources.database(), TUESDAY)
    assert {"otc-tier1-weekly", "otc-tier2-weekly", "otc-rolling-weekly"} <= set(schedule.fire_due(context))
    assert {run.key.partition for run in sent} == {
        Partition(date(2026, 10, 30), "T1"),
        Partition(date(2026, 10, 16), "T2"),
        Partition(date(2026, 10, 16), "OTCE"),
    }
    assert len(sent) == 3


def test_weeks_with_stale_metrics_are_computed_again_and_others_are_not(
    environment: dict[str, str], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recompute() -> list[str]:
        sent: list[Run] = []
        context = JobContext(
            WEDNESDAY, resources.database(), resources.store(), resources.settings(), sent.append, list
        )
        schedule.jobs.recompute_stale(context)
        return [run.stage.name for run in drive(*sent)]

    drive(observe(file_text([("A", "AAAA", 1, 1)]), Partition(WEEK, "OTCE")))
    assert recompute() == []
    sql("insert into otc_internal.metric_due (week_ending, metric) values (%s, 'venue_share')", WEEK)
    assert recompute()[0] == "compute"
    sql("update otc.stage_run set code_version = %s where stage = 'compute'", versions.COMPUTE - 1)
    assert recompute()[0] == "compute"
    assert recompute() == []
    assert sql("select count(*) from otc_internal.metric_due") == [(0,)]


def test_what_the_lake_lacks_is_published_by_the_stage_once(environment: dict[str, str], tmp_path: Path) -> None:
    """A week computed before there was a lake; and one whose run failed, which waits for a replay."""

    def build() -> list[Run]:
        sent: list[Run] = []
        context = JobContext(
            WEDNESDAY, resources.database(), resources.store(), resources.settings(), sent.append, list
        )
        said = schedule.jobs.build_histories(context)
        assert ("published" in said) is bool(resources.settings()["PUBLISH"])
        return sent

    drive(observe(file_text([("A", "AAAA", 1, 1)]), Partition(WEEK, "OTCE")))
    assert build() == []
    with changed_environment({"OTCPIPE_PUBLISH": str(tmp_path / "lake")}):
        (run,) = build()
        assert run.stage.name == "publish"
        assert build() == [], "its run is under way"
        fail(run, "the disk is full")
        assert build() == []
        drive(ledger.request(resources.database(), run))
        assert (tmp_path / "lake/manifest.json").exists()
        assert build() == []


def test_lost_runs_are_sent_again_every_few_minutes(environment: dict[str, str]) -> None:
    asked: list[str] = []

    def send_lost_runs() -> list[str]:
        asked.append("asked")
        return asked

    context = JobContext(
        WEDNESDAY, resources.database(), resources.store(), resources.settings(), lambda _: None, send_lost_runs
    )
    schedule.begin(resources.database(), WEDNESDAY - 5 * MINUTE)
    assert "otc-reconcile" in schedule.fire_due(context)
    assert asked == ["asked"]


def test_the_list_shows_each_jobs_next_fire(here: Otcpipe) -> None:
    clock = {"OTCPIPE_NOW": TUESDAY.isoformat(), "OTCPIPE_SCHEDULE_REFRESH": "off"}
    rows = json.loads(here("schedule", "--list", "--json", **clock).stdout)
    told = {row["job"]: row["next"] for row in rows}
    assert [row["next"] for row in rows] == [*sorted(filter(None, told.values())), None]
    assert all(row["does"] for row in rows)
    assert "Wed 2026-11-18 06:00" in here("schedule", "--list", **clock).stdout
    assert told["otc-tier1-weekly"] == "2026-11-18T11:00:00+00:00"
    assert told["otc-tier2-weekly"] == "2026-11-18T12:00:00+00:00"
    assert told["otc-rolling-weekly"] == "2026-11-18T13:00:00+00:00"
    assert told["otc-reconcile"] == "2026-11-17T17:05:00+00:00"
    assert told["otc-refresh-weekly"] is None
    assert len(told) == len(JOBS)
    wrong = here("schedule", "--list", OTCPIPE_SCHEDULE_TIER2="0 7 * * 3")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_scheduler_catches_up_at_its_start_and_stops_on_a_signal(
    environment: dict[str, str], ending: signal.Signals, sql: Sql
) -> None:
    schedule.begin(resources.database(), datetime.now(UTC) - 40 * DAY)
    command = [*IGNORING_SIGINT, sys.executable, "-m", "otcpipe", "schedule"]
    process = subprocess.Popen(command, env=os.environ | environment)
    deadline = time.monotonic() + 60
    unfinished = "select 1 from otc_internal.schedule_fire group by job having count(finished_at) < 2"
    while sql(unfinished):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(ending)
    assert process.wait(20) == 0


def test_a_running_scheduler_whose_rows_were_lost_fires_at_its_next_tick(
    environment: dict[str, str], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(moment: datetime) -> None:
        monkeypatch.setenv("OTCPIPE_NOW", moment.isoformat())
        resources.settings.cache_clear()

    at(WEDNESDAY - 7 * MINUTE)
    clock = shown.Clock()
    clock.tick()
    sql("drop schema otc, otc_internal cascade")
    clock.tick()  # what fails is postponed
    resources.database().migrate()
    at(WEDNESDAY)
    clock.tick()
    fired = sql(
        "select job from otc_internal.schedule_fire where outcome <> 'first start' and finished_at is not null"
    )
    assert ("otc-tier1-weekly",) in fired
