"""Grades through the real stages: what is held, what continues meanwhile, and what an acceptance releases."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.cli import accept as cli
from otcpipe.cli import status, watch
from otcpipe.cli.form import Form
from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.export import Request, count
from otcpipe.pipeline import definition, ledger, planning, recovery
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage import keys
from tests.support.pipeline import NOON, WEEK, accept, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
OTCE, T2 = Partition(WEEK, "OTCE"), Partition(WEEK, "T2")
SOUND = [(f"S{number}", "AAAA", 100, 1) for number in range(90)]
BROKEN = file_text([*SOUND, *((f"X{number}", "AAAA", "many", 1) for number in range(11))])
COMPUTED = "select tier, count(*) from otc.symbol_summary group by 1 order by 1"


@pytest.fixture
def held(environment: dict[str, str]) -> Run:
    """A partition of which more than a tenth is rejected, at the stage that it does not pass."""
    return drive(observe(BROKEN, OTCE))[-1]


def waiting(sql: Sql) -> list[Run]:
    prefix = resources.settings()["S3_PREFIX"]
    rows = sql("select stage, key, generation, request from otc.stage_run where state = 'queued'")
    return [Run(definition.named(row[0]), keys.parse(row[1], prefix), row[2], row[3]) for row in rows]


def test_metrics_of_a_held_partition_wait_for_its_acceptance(
    held: Run, sql: Sql, capsys: pytest.CaptureFixture[str]
) -> None:
    assert held.stage.name == "compute"
    assert sql("select stage, reason from otc.stage_run where state = 'held'") == [
        ("compute", "grade F: 11 of 101 rows were set aside; see `otcpipe accept`")
    ]
    assert sql("select count(*) from otc.venue_volume") == [(90,)]
    assert sql(COMPUTED) == []
    with pytest.raises(OtcpipeError, match="1 of 1 partitions failed or are held"):
        watch.until_done([OTCE])
    status.status(None, None, Form.TABLE, lambda _: {})
    cli.accept("2025-11-14", "OTCE", " FINRA says so ")
    status.status(None, None, Form.TABLE, lambda _: {})
    printed = capsys.readouterr().out
    assert "OTCE 2025-11-14 is held before compute: grade F: 11 of 101 rows were set aside" in printed
    assert "OTCE 2025-11-14: accepted as it is (11 of 101 rows were set aside)." in printed
    drive(*waiting(sql))
    assert sql(COMPUTED) == [("OTCE", 90)]
    assert sql("select distinct state from otc.stage_run") == [("done",)]
    assert sql("select tier, reason, grade from otc.acceptance") == [("OTCE", "FINRA says so", "F")]
    with pytest.raises(Invalid, match="OTCE of the week ending 2025-11-14 is not held: its grade is F"):
        cli.accept("2025-11-14", "OTCE", "again")


@pytest.mark.parametrize(("table", "rows"), [("venue_volume", 90), ("symbol_summary", 0)])
def test_a_hold_concerns_the_metrics_of_now_alone(table: str, rows: int, held: Run, tmp_path: Path) -> None:
    """What was known at a moment, and the records, do not depend on it."""
    counted: list[int] = []
    for moment, expected in ((None, rows), (NOON + timedelta(days=1), 90)):
        request = Request(table, "csv", tmp_path / str(moment), at=moment)
        count(resources.database(), request, lambda _, number: counted.append(number))
        assert sum(counted) == expected
        counted.clear()


def test_a_held_run_is_not_sent_again_and_its_partition_is_not_fetched(held: Run, sql: Sql) -> None:
    sql("update otc.stage_run set queued_at = now() - interval '1 hour', finished_at = now() - interval '1 hour'")
    assert list(recovery.find(resources.database(), resources.store(), held.key.prefix, (), NOON)) == []
    assert "held" in planning.skip_reason(OTCE, "held", NOON)
    assert planning.skip_reason(OTCE, "held", NOON, refresh=True) == ""
    drive(held)  # a repeated message changes nothing
    assert sql("select count(*) from otc.stage_run where state = 'held'") == [(1,)]


def test_other_tiers_of_the_week_are_computed_without_the_held_one(held: Run, sql: Sql) -> None:
    drive(observe(file_text([("B", "BBBB", 5, 1)], tier="T2"), T2))
    assert sql(COMPUTED) == [("T2", 1)]
    assert sql("select distinct tier from otc.venue_share") == [("T2",)]


def test_an_acceptance_is_for_one_content_and_stays_with_it(held: Run, sql: Sql) -> None:
    accept(OTCE, "so it is")
    drive(replace(held, request="accepted"))
    assert sql(COMPUTED) == [("OTCE", 90)]
    later = NOON + timedelta(days=1)
    drive(observe(BROKEN, OTCE, later))
    assert sql("select count(*) from otc.stage_run where state = 'held'") == [(0,)], "the same again"
    drive(observe(BROKEN.replace(b"|100|", b"|101|"), OTCE, later + timedelta(days=1)))
    assert sql("select count(*) from otc.stage_run where state = 'held'") == [(1,)]


def test_a_sound_content_after_a_held_one_goes_through(held: Run, sql: Sql) -> None:
    drive(observe(file_text(SOUND), OTCE, NOON + timedelta(days=1)))
    assert sql(COMPUTED) == [("OTCE", 90)]
    assert sql("select grade, reasons from otc.weekly_quality") == [("A", [])]
    (row,) = ledger.partitions(resources.database())
    assert row["state"] == "done"


def test_half_of_what_was_captured_before_is_held_and_the_later_whole_is_not(
    environment: dict[str, str], sql: Sql
) -> None:
    whole = [(f"S{number}", "AAAA", 100, 1) for number in range(120)]
    drive(observe(file_text(whole[:50], "T2"), T2), observe(file_text(whole), OTCE))
    drive(observe(file_text(whole[:50]), OTCE, later := NOON + timedelta(days=1)))
    assert sql("select tier, reason from otc.stage_run where state = 'held'") == [
        ("OTCE", "grade F: 50 rows are less than half of the 120 captured before; see `otcpipe accept`")
    ]
    drive(observe(file_text(whole[:50]), OTCE, later + timedelta(hours=1)))
    assert sql("select grade from otc.weekly_quality where tier = 'OTCE'") == [("F",)], "a second time too"
    drive(observe(file_text(whole, "T2"), T2, later))
    assert sql("select tier, grade from otc.weekly_quality order by 1") == [("OTCE", "F"), ("T2", "A")]
    drive(observe(file_text(whole), OTCE, later + timedelta(days=1)))
    assert sql("select tier, grade from otc.weekly_quality order by 1") == [("OTCE", "A"), ("T2", "A")]


def test_a_partition_that_only_looks_odd_goes_on_with_a_warning(environment: dict[str, str], sql: Sql) -> None:
    before = Partition(WEEK - timedelta(days=7), "OTCE")
    drive(observe(file_text(SOUND, updated_on="2025-12-08"), before), observe(file_text(SOUND[:30]), OTCE))
    rows = ledger.partitions(resources.database())
    assert [(row["state"], row["grade"], row["reason"]) for row in rows] == [
        ("done", "A", None),
        ("done", "C", "volume a trading day is -67 % against the week ending 2025-11-07"),
    ]


def test_a_reason_is_needed(held: Run) -> None:
    with pytest.raises(Invalid, match="A reason is needed"):
        cli.accept("2025-11-14", "OTCE", " ")
