"""A stage that somebody adds after compute, with an object by week: nothing is lost, and nothing stays outdated."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.pipeline import definition
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition, StageResult
from otcpipe.storage import objects
from otcpipe.storage.keys import Key, of_partition
from otcpipe.storage.postgres import Transaction
from tests.support.pipeline import NOON, WEEK, drive, file_text, observe, reconciled

Sql = Callable[..., list[tuple[Any, ...]]]
DAY = timedelta(days=1)
LATER = WEEK + timedelta(days=7)
SUMS = b"""
    select tier, sum(total_volume)::text as volume from otc.symbol_summary where week_ending = %(week)s group by tier
    union all
    select 'mean', sum(avg_6w_volume)::text from otc.symbol_rolling_avg where week_ending = %(week)s
    order by 1
"""


@pytest.fixture(autouse=True)
def _signal(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    stage = replace(definition.named("compute"), name="signal", actor="make_signals", code_version=1)
    at = definition.PIPELINE.index(definition.named("compute")) + 1
    monkeypatch.setattr(definition, "PIPELINE", (*definition.PIPELINE[:at], stage, *definition.PIPELINE[at:]))
    body = SimpleNamespace(fn=SimpleNamespace(__wrapped__=make_signals))
    monkeypatch.setattr(import_module("actors"), "make_signals", body, raising=False)


def make_signals(run: Run) -> StageResult:
    is_new = objects.put_of_week(resources.store(), resources.database(), run.key.of_week("parsed"), sums(run.key))
    return StageResult(str(run.key), counts={"objects made": int(is_new)})


def sums(key: Key) -> Callable[[Transaction], bytes]:
    def read(transaction: Transaction) -> bytes:
        rows = transaction.connection.execute(SUMS, {"week": key.partition.week_ending}).fetchall()
        return json.dumps({row["tier"]: row["volume"] for row in rows}).encode()

    return read


def taken(tier: str, count: int, week: Any = WEEK, at: Any = NOON, shares: int = 100) -> Run:
    rows = [(f"{tier}{number}", "AAAA", shares, 10) for number in range(count)]
    return observe(file_text(rows, tier), Partition(week, tier), at)


def made(week: Any = WEEK) -> bytes:
    key = of_partition(resources.settings()["S3_PREFIX"], Partition(week, "T1")).of_week("parsed")
    return resources.store().get(str(key))


def computed(week: Any = WEEK) -> bytes:
    key = of_partition(resources.settings()["S3_PREFIX"], Partition(week, "T1"))
    with resources.database().transaction() as transaction:
        return sums(key)(transaction)


@pytest.mark.parametrize("order", list(permutations(("T1", "T2", "OTCE"))), ids="-".join)
def test_tiers_in_any_order_end_in_one_object(order: tuple[str, ...]) -> None:
    for tier in order:
        drive(taken(tier, 30))
    assert set(json.loads(made())) == {"T1", "T2", "OTCE", "mean"}
    assert made() == computed()
    assert reconciled() == []


def test_rows_of_a_tier_that_becomes_held_leave_the_object(sql: Sql) -> None:
    drive(taken("T1", 130), taken("OTCE", 130))
    drive(taken("T1", 20, at=NOON + DAY))
    assert sql("select tier from otc.held_partition") == [("T1",)]
    assert made() != computed()
    (found,) = reconciled()
    assert found.stage.name == "signal"
    drive(found)
    assert made() == computed() and set(json.loads(made())) == {"OTCE", "mean"}
    assert reconciled() == []


def test_a_restated_week_changes_the_objects_of_the_weeks_that_look_back_on_it() -> None:
    drive(taken("OTCE", 130), taken("OTCE", 130, LATER))
    drive(taken("OTCE", 130, at=NOON + DAY, shares=110))
    assert made() == computed()
    assert made(LATER) != computed(LATER)
    drive(*reconciled())
    assert made(LATER) == computed(LATER)
    assert reconciled() == []


def test_a_run_whose_message_was_lost_is_found(sql: Sql) -> None:
    runs = drive(taken("OTCE", 30))
    sql("update otc.stage_run set state = 'queued', queued_at = now() - interval '1 minute' where stage = 'signal'")
    assert [(run.stage.name, run.key) for run in reconciled()] == [("signal", runs[-1].key)]
