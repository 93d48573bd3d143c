"""A capture that is withdrawn counts in no answer, stays stored and listed, and can count again."""

import json
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.audit import verify
from otcpipe.audit.verdict import Verdict
from otcpipe.broker import actors
from otcpipe.pipeline.decisions import Decision
from otcpipe.records import Partition
from tests.support.pipeline import NOON, WEEK, drive, file_text, functions, observe, reconciled
from tests.support.tables import all_tables

Sql = Callable[..., list[tuple[Any, ...]]]
Here = Callable[..., "subprocess.CompletedProcess[str]"]
OTCE = Partition(WEEK, "OTCE")
DAY = timedelta(days=1)
WHOLE = [(f"S{number}", "AAAA", 100 + number, 1) for number in range(9)]
AS_OF = "select symbol, share_volume::int from otc.venue_volume_as_of('2025-12-24T00:00Z') order by 1"


def load(day: int, rows: list[tuple[str, str, int, int]]) -> None:
    drive(observe(file_text(rows), OTCE, NOON + day * DAY))


def without_decisions(sql: Sql) -> dict[str, list[str]]:
    left_out = ("decision", "captures", "quality", "names", "reject")
    return {name: rows for name, rows in all_tables(sql).items() if name not in left_out}


@pytest.fixture
def cut_short(environment: dict[str, str], sql: Sql) -> str:
    """A whole file, one cut short that claims an earlier day, and a later whole one; the number of the wrong one."""
    load(0, WHOLE)
    load(5, [("S1", "AAAA", 500, 1), *WHOLE[2:]])
    load(2, WHOLE[:2])
    return str(sql("select capture_id from otc.capture order by observed_at offset 1 limit 1")[0][0])


def undisturbed(sql: Sql) -> dict[str, list[str]]:
    """The tables as if the wrong file had never been imported."""
    sql(
        "truncate otc.capture, otc_internal.volume_record, otc.stage_run, otc_internal.metric_due,"
        " otc.capture_quality, otc_internal.decision"
    )
    for name in ("symbol_summary", "symbol_concentration", "symbol_rolling_avg", "venue_share"):
        sql(f"truncate otc.{name}")
    load(0, WHOLE)
    load(5, [("S1", "AAAA", 500, 1), *WHOLE[2:]])
    return without_decisions(sql)


def test_a_decision_made_while_its_capture_is_added_is_not_missed(environment: dict[str, str], sql: Sql) -> None:
    run = observe(file_text(WHOLE), OTCE, NOON)
    decision = Decision("withdraw", OTCE, str(run.key), "wrong", NOON)
    values = asdict(decision) | asdict(OTCE) | {"decision_id": "d"}
    with ThreadPoolExecutor(1) as pool:
        with resources.database().transaction() as deciding:
            deciding.rows("lock_observation", fetched_key=str(run.key))
            deciding.run("add_decision", **values)
            deciding.run("mark_withdrawn", subject=str(run.key))
            added = pool.submit(functions()["cache"], run)
            while not sql("select pid from pg_locks where locktype = 'advisory' and not granted"):
                assert not added.done(), "it did not wait for the decision"
                time.sleep(0.05)
        added.result(60)
    assert sql("select is_withdrawn from otc.capture") == [(True,)]


def test_a_withdrawn_capture_counts_in_no_answer_and_its_undo_restores_everything(
    cut_short: str, sql: Sql, here: Here
) -> None:
    before = all_tables(sql)
    assert len(sql(AS_OF)) == 2, "the file that was cut short rewrote the days after it"
    done = here("withdraw", cut_short, "--reason", "cut short")
    assert done.returncode == 0
    assert "is withdrawn: it counts in no answer, and stays stored." in done.stdout
    drive(*waiting(sql))
    assert len(sql(AS_OF)) == 9
    listed = json.loads(here("captures", "--json").stdout)
    assert [row["is_withdrawn"] for row in listed] == [False, True, False]
    assert listed[1]["withdrawn_because"] == "cut short"
    assert listed[1]["records"] == 2
    assert listed[1]["grade"]
    assert not [finding for verdict in verified() for finding in verdict.findings]
    assert here("withdraw", cut_short, "--undo").returncode == 0
    drive(*waiting(sql))
    left_out = {"decision": before["decision"]}
    assert all_tables(sql) | left_out == before


def test_the_tables_are_those_of_a_history_without_the_withdrawn_capture(
    cut_short: str, sql: Sql, here: Here
) -> None:
    here("withdraw", cut_short, "--reason", "cut short")
    drive(*waiting(sql))
    without = without_decisions(sql)
    assert without == undisturbed(sql)


def test_a_decision_that_only_s3_has_is_carried_out_by_reconcile(cut_short: str, sql: Sql, here: Here) -> None:
    here("withdraw", cut_short, "--reason", "cut short")
    drive(*waiting(sql))
    withdrawn = all_tables(sql)
    here("withdraw", cut_short, "--undo")
    drive(*waiting(sql))
    sql("delete from otc_internal.decision where kind = 'restore'")
    sql("update otc.capture set is_withdrawn = true where capture_id = %s", int(cut_short))
    drive(*reconciled())
    assert sql("select count(*) from otc.capture where is_withdrawn") == [(0,)]
    assert all_tables(sql) != withdrawn


def test_the_last_capture_of_a_partition_can_be_withdrawn_too(sql: Sql, here: Here) -> None:
    load(0, WHOLE)
    (number,) = sql("select capture_id from otc.capture")[0]
    assert "No other counts" in here("withdraw", number, "--reason", "of another week").stdout
    drive(*waiting(sql))
    assert sql("select count(*) from otc_internal.volume_record") == [(0,)]
    assert sql("select count(*) from otc.symbol_summary") == [(0,)]
    (row,) = json.loads(here("status", "--json").stdout)
    assert (row["state"], row["reason"]) == ("late", "every capture was withdrawn")


def test_a_dry_run_says_which_capture_would_count_instead(sql: Sql, here: Here) -> None:
    load(0, WHOLE)
    load(1, WHOLE[:-1])
    older, newer = (number for (number,) in sql("select capture_id from otc.capture order by observed_at"))
    rows = json.loads(here("captures", "--json").stdout)
    assert [row["state"].split(";")[0] for row in rows] == ["replaced", "counts"]
    assert "only answers as of a moment before" in here("withdraw", older, "--dry-run").stdout
    assert f"with {len(WHOLE):,} records takes its place" in here("withdraw", newer, "--dry-run").stdout


def test_what_cannot_be_withdrawn_is_said_in_a_sentence(cut_short: str, here: Here) -> None:
    assert "No capture 12 exists" in here("withdraw", "12", "--reason", "x").stderr
    assert "A reason is needed" in here("withdraw", cut_short).stderr
    assert "counts already" in here("withdraw", cut_short, "--undo").stdout
    planned = here("withdraw", cut_short, "--dry-run").stdout
    assert "with this, it is withdrawn" in planned
    assert "It was replaced before" in planned
    assert "counts already" in here("withdraw", cut_short, "--undo").stdout, "a dry run changes nothing"


def verified() -> list[Verdict]:
    prefix = resources.settings()["S3_PREFIX"]
    return list(verify.verify(resources.database(), resources.store(), prefix, None))


def waiting(sql: Sql) -> list[Any]:
    """The runs that commands requested; no worker takes their messages here."""
    actors.broker().flush_all()
    sql("update otc.stage_run set queued_at = now() - interval '1 hour' where state = 'queued'")
    return reconciled()
