"""Coverage: every state that a cell can have, and the gaps by name."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe import resources
from otcpipe.cli import coverage as shown
from otcpipe.cli.form import Form
from otcpipe.pipeline import coverage, definition, gaps, ledger, planning, recovery
from otcpipe.pipeline.coverage import Cell
from otcpipe.records import Partition
from tests.support.pipeline import api_text, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
FRIDAY = date(2025, 11, 14)
NOW = datetime(
    2025, 12, 15, 12, tzinfo=UTC
)  # the Monday on which T2 and OTCE of that week, and T1 of 28 November, are due
WEEK = timedelta(days=7)
LAST = definition.last().name


def cells(first: date = FRIDAY, last: date = FRIDAY + 3 * WEEK, since: date | None = None) -> dict[Partition, Cell]:
    found = coverage.cells(resources.database(), NOW, since, first, last)
    return {cell.partition: cell for cell in found}


def shown_state(week: date, tier: str = "T1") -> str:
    return str(cells()[Partition(week, tier)])


def load(week: date = FRIDAY, volume: int = 100, at: datetime = NOW) -> None:
    partition = Partition(week, "T1")
    drive(observe(api_text([{"totalWeeklyShareQuantity": volume}], partition), partition, at, covers="all"))


def test_a_partition_never_requested_has_the_state_of_the_calendar(environment: dict[str, str]) -> None:
    found = gaps.group_weeks(list(cells().values()))
    assert [(first, last, list(map(str, row))) for first, last, row in found] == [
        (FRIDAY, FRIDAY, ["late 14d", "due", "due"]),
        (FRIDAY + WEEK, FRIDAY + WEEK, ["late 7d", "not due", "not due"]),
        (FRIDAY + 2 * WEEK, FRIDAY + 2 * WEEK, ["due", "not due", "not due"]),
        (FRIDAY + 3 * WEEK, FRIDAY + 3 * WEEK, ["not due", "not due", "not due"]),
    ]


def test_a_partition_is_done_then_restated_then_stale(environment: dict[str, str], sql: Sql) -> None:
    load()
    assert shown_state(FRIDAY) == "done"
    load(volume=200, at=NOW + timedelta(hours=1))
    load(volume=100, at=NOW + timedelta(hours=2))
    load(volume=100, at=NOW + timedelta(hours=3))
    assert shown_state(FRIDAY) == "restated 2x"
    sql("update otc.stage_run set code_version = 0 where stage = 'compute'")
    assert shown_state(FRIDAY) == "stale"


def test_a_file_alone_is_a_part(environment: dict[str, str]) -> None:
    drive(observe(file_text([("A", "AAAA", 1, 1)], tier="T1"), Partition(FRIDAY, "T1")))
    assert shown_state(FRIDAY) == "partial"


@pytest.mark.parametrize(
    ("state", "word"), [("queued", "queued"), ("running", "running"), ("failed", f"failed: {LAST}"), ("held", "held")]
)
def test_what_is_under_way_or_stopped_says_so(environment: dict[str, str], sql: Sql, state: str, word: str) -> None:
    load()
    lease = "now() + interval '1 minute'"
    sql(f"update otc.stage_run set state = %s, lease_until = {lease} where stage = %s", state, LAST)
    assert shown_state(FRIDAY) == word


def test_what_finra_has_not_published_is_due_and_two_days_later_late(environment: dict[str, str], sql: Sql) -> None:
    asked = [Partition(FRIDAY + WEEK, "T1"), Partition(FRIDAY + 2 * WEEK, "T1")]
    planning.enqueue_fetches(resources.database(), resources.store(), "finra/otc", asked, lambda _: None, NOW)
    sql("update otc.stage_run set state = 'done', reason = 'not published yet'")
    assert [str(cells()[one]) for one in asked] == ["late 7d", "due"]
    assert [sentence for sentence in gaps.describe(list(cells().values())) if "11-21" in sentence] == [
        "T1, week ending 2025-11-21: late by 7 days: not published yet."
    ]


def test_weeks_before_the_first_asked_for_are_not_missed_unless_a_setting_says_so(
    environment: dict[str, str], sql: Sql
) -> None:
    planning.enqueue_fetches(
        resources.database(),
        resources.store(),
        "finra/otc",
        [Partition(FRIDAY + number * WEEK, "T1") for number in range(3)],
        lambda _: None,
        NOW,
    )
    sql("delete from otc.stage_run where week_ending > %s", FRIDAY)
    weeks = {tier: [str(cell) for cell in _all(None) if cell.partition.tier == tier] for tier in ("T1", "T2")}
    assert weeks["T1"] == ["queued", "late 7d", "due", "not due", "not due"]
    assert weeks["T2"] == ["due", "not due", "not due", "not due", "not due"]
    assert str(_all(FRIDAY - WEEK)[0]) == "late 21d"


def test_one_old_week_that_was_fetched_makes_no_other_week_expected(environment: dict[str, str]) -> None:
    old, newest = date(2020, 1, 3), FRIDAY + 2 * WEEK  # of T1 at NOW
    database, store = resources.database(), resources.store()
    for week, first in ((old, newest), (newest - WEEK, newest - WEEK), (newest - 3 * WEEK, newest - WEEK)):
        planning.enqueue_fetches(database, store, "finra/otc", [Partition(week, "T1")], lambda _: None, NOW)
        expected = planning.expected_partitions(database, NOW, None, ["T1"])
        assert [one.week_ending for one in expected] == [
            newest - WEEK * number for number in range((newest - first) // WEEK + 1)
        ]
    planning.enqueue_fetches(database, store, "finra/otc", [Partition(newest - 2 * WEEK, "T1")], lambda _: None, NOW)
    assert len(planning.expected_partitions(database, NOW, None, ["T1"])) == 4, "the gap before it is closed"
    found = list(recovery.never_requested(database, "finra/otc", ["T1"], None, NOW))
    assert [one.run.key.partition.week_ending for one in found] == [newest]
    since = recovery.never_requested(database, "finra/otc", ["T1"], old, NOW)
    assert len(list(since)) == (newest - old) // WEEK + 1 - 4


@given(st.sets(st.integers(1, 30)))
def test_the_first_week_is_the_begin_of_the_weeks_without_a_gap(numbers: set[int]) -> None:
    found = planning.joined_to(FRIDAY, {FRIDAY - number * WEEK for number in numbers})
    joined = (FRIDAY - found) // WEEK
    assert set(range(1, joined + 1)) <= numbers
    assert joined + 1 not in numbers


def test_only_the_wanted_tiers_are_covered_fetched_and_counted(
    here: Callable[..., "subprocess.CompletedProcess[str]"], environment: dict[str, str]
) -> None:
    t1 = {"OTCPIPE_TIERS": "T1", "OTCPIPE_NOW": NOW.isoformat(), "OTCPIPE_SINCE": str(FRIDAY)}
    every = t1 | {"OTCPIPE_TIERS": "OTCE, T1,T2"}
    done = here("coverage", "--json", **t1)
    assert ({row["tier"] for row in json.loads(done.stdout)}, done.returncode) == ({"T1"}, 1)
    assert here("coverage", **t1).stdout.splitlines()[-1] == "2 of 5 partitions need attention."
    assert here("coverage", **t1).stdout.splitlines()[0].split()[-1] == "T1"
    assert "not wanted so far" not in here("coverage", **t1).stdout
    assert here("coverage", **every).stdout.splitlines()[0].split()[-3:] == ["T1", "T2", "OTCE"]
    assert here("coverage", "--tier", "OTCE", "--tier", "T1", **t1).stdout.splitlines()[0].split()[-2:] == [
        "OTCE",
        "T1",
    ]
    assert [row["tier"] for row in json.loads(here("status", "--week", "2025-11-14", "--json", **t1).stdout)] == [
        "T1"
    ]
    assert here("backfill", "--from", "2025-11-14", "--dry-run", **t1).stdout.startswith("5 partitions")
    lost = json.loads(here("reconcile", "--dry-run", "--json", **t1).stdout)
    assert [(row["tier"], row["week_ending"]) for row in lost] == [
        ("T1", str(FRIDAY + WEEK * number)) for number in (2, 1, 0)
    ]
    assert {row["tier"] for row in json.loads(here("reconcile", "--dry-run", "--json", **every).stdout)} == {
        "T1",
        "T2",
        "OTCE",
    }


def _all(since: date | None) -> list[Cell]:
    return coverage.cells(resources.database(), NOW, since)


def test_equal_weeks_share_one_line_of_80_columns_and_a_gap_is_named(
    environment: dict[str, str],
    sql: Sql,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OTCPIPE_NOW", NOW.isoformat())
    resources.settings.cache_clear()
    load()
    load(FRIDAY + WEEK)
    load(FRIDAY + 2 * WEEK)
    arguments = ("2025-11-14", "2025-12-12")
    shown.coverage(*arguments, (), form=Form.TABLE)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split() for line in printed] == [
        ["Weeks", "ending", "Weeks", "T1", "T2", "OTCE"],
        ["2025-11-14", "1", "done", "due", "due"],
        ["2025-11-21", "to", "2025-11-28", "2", "done", "not", "due", "not", "due"],
        ["2025-12-05", "to", "2025-12-12", "2", "not", "due", "not", "due", "not", "due"],
        ["due:", "FINRA", "publishes", "it", "about", "now;", "late", "after", "two", "days."],
        ["Nothing", "is", "late,", "failed", "or", "held."],
    ]
    sql("update otc.stage_run set state = 'failed', reason = 'no space left' where stage = %s", LAST)
    with pytest.raises(SystemExit) as exited:
        shown.coverage(*arguments, (), form=Form.TABLE)
    assert exited.value.code == 1
    printed = capsys.readouterr().out.splitlines()
    assert max(map(len, printed)) <= 80
    assert f"T1, weeks ending 2025-11-14 to 2025-11-28: failed at {LAST}: no space left." in printed
    assert printed[-1] == "3 of 15 partitions need attention."
    with pytest.raises(SystemExit):
        shown.coverage(*arguments, (), form=Form.JSON)
    rows = json.loads(capsys.readouterr().out)
    assert (len(rows), rows[0]["week_ending"], rows[0]["state"], rows[0]["stage"]) == (
        15,
        "2025-11-14",
        "failed",
        LAST,
    )
    assert ledger.partitions(resources.database())[0]["grade"] == rows[0]["grade"]


def test_a_week_that_is_not_wanted_is_explained(here: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    drive(observe(file_text([("A", "AAAA", 1, 1)]), Partition(FRIDAY, "OTCE")))
    said = here("coverage", OTCPIPE_NOW=NOW.isoformat()).stdout
    assert "-: not wanted so far. --from DATE counts weeks from DATE on;" in said
    assert "partial: only a downloaded file, which has ATSs alone." in said
    [t1] = [row for row in json.loads(here("status", "--week", FRIDAY, "--json").stdout) if row["tier"] == "T1"]
    assert (t1["state"], t1["reason"][:17]) == ("unwanted", "not wanted so far")
    listed = json.loads(here("coverage", "--json", OTCPIPE_NOW=NOW.isoformat()).stdout)
    assert "unwanted" in {row["state"] for row in listed if (row["week_ending"], row["tier"]) == (str(FRIDAY), "T1")}
    asked = here("coverage", "--from", FRIDAY, OTCPIPE_NOW=NOW.isoformat()).stdout
    assert " late " in asked
    assert f"`otcpipe backfill --from {FRIDAY} --to " in asked
    one = here("coverage", "--from", FRIDAY, "--to", FRIDAY, OTCPIPE_NOW=NOW.isoformat()).stdout
    assert f"`otcpipe backfill --from {FRIDAY} --to {FRIDAY}` fetches what was never requested." in one
