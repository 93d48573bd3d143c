"""The deferred metrics: which weeks are incomplete; each is computed once the weeks that it reads have settled."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import otcpipe
from otcpipe import resources
from otcpipe.cli import export
from otcpipe.errors import Outdated, Unready
from otcpipe.metrics import completion, definitions, history
from otcpipe.pipeline import claims, definition, ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.stages import compute
from otcpipe.storage import keys
from otcpipe.storage.postgres import Database
from tests.support.pipeline import NOON, WEEK, drive, file_text, observe, reconciled

Sql = Callable[..., list[tuple[Any, ...]]]
WEEKS = [WEEK + timedelta(days=7 * number) for number in range(4)]
UNUSUAL = "symbol_unusual"
LISTED = "select week_ending from otc.incomplete_week where metric = 'symbol_unusual' order by 1"


def taken(week: date, shares: int = 10, later: int = 0) -> Run:
    content = file_text([("AAA", "AAAA", shares, 1)], "T1")
    return observe(content, Partition(week, "T1"), NOON + timedelta(days=later))


def listed(sql: Sql) -> list[date]:
    return [week for (week,) in sql(LISTED)]


def incomplete(**more: Any) -> list[date]:
    return [one.week for one in completion.incomplete(resources.database(), [UNUSUAL], **more)]


def stored(sql: Sql) -> list[tuple[Any, ...]]:
    return sql(f"select week_ending, weeks_52w from otc.{UNUSUAL} order by 1")


def test_newest_first_each_week_is_computed_once_and_after_the_weeks_that_it_reads(sql: Sql) -> None:
    for week in reversed(WEEKS):
        drive(taken(week))
    assert (listed(sql), stored(sql)) == (WEEKS, [])
    assert completion.complete(resources.database(), [UNUSUAL]) == len(WEEKS)
    assert (incomplete(), stored(sql)) == ([], [(week, number) for number, week in enumerate(WEEKS)])


def test_a_change_makes_the_week_and_the_later_ones_incomplete(sql: Sql) -> None:
    drive(*map(taken, WEEKS))
    completion.complete(resources.database())
    drive(taken(WEEKS[2], 20, later=1))
    assert listed(sql) == incomplete() == WEEKS[2:]
    assert [row[0] for row in stored(sql)] == WEEKS  # as before the change, until it is completed
    drive(taken(WEEKS[1] + timedelta(days=7 * 60)))
    assert len(listed(sql)) == 3


def test_a_week_waits_for_metrics_that_it_reads(sql: Sql) -> None:
    drive(*map(taken, WEEKS))
    sql("insert into otc_internal.metric_due values (%s, 'symbol_summary')", WEEKS[1])
    found = completion.incomplete(resources.database(), [UNUSUAL])
    done = [completion.complete_week(resources.database(), one) for one in found]
    assert done == [True, False, False, False]
    assert listed(sql) == WEEKS[1:]
    sql("delete from otc_internal.metric_due")
    assert completion.complete(resources.database(), [UNUSUAL]) == 3


def test_a_week_is_not_settled_while_the_pipeline_has_an_earlier_one(sql: Sql) -> None:
    drive(*map(taken, WEEKS))
    key = keys.parse(f"partition/T1/{WEEKS[2]}", resources.settings()["S3_PREFIX"])
    ledger.request(resources.database(), Run(definition.named("fetch"), key))
    assert (incomplete(settled=True), incomplete()) == (WEEKS[:2], WEEKS)


def test_a_change_during_the_computation_is_not_lost(environment: dict[str, str], sql: Sql) -> None:
    """A capture of another week does not wait for it; to find the weeks that follow from it does."""
    drive(*map(taken, WEEKS))
    assert incomplete() == WEEKS
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as other, ThreadPoolExecutor() as threads:
        other.execute("select from otc_internal.deferred_week where week_ending = %s for update", [WEEKS[3]])
        other.execute("delete from otc_internal.deferred_week where week_ending = %s", [WEEKS[3]])
        drive(taken(WEEKS[0], 20, later=1))
        waiting = threads.submit(incomplete)
        other.commit()
        assert waiting.result() == WEEKS


def test_two_at_once_compute_each_week_once(sql: Sql) -> None:
    drive(*map(taken, WEEKS))
    found = completion.incomplete(resources.database(), [UNUSUAL])
    with ThreadPoolExecutor() as threads:
        assert all(threads.map(lambda one: completion.complete_week(resources.database(), one), [*found, *found]))
    assert (incomplete(), len(stored(sql))) == ([], len(WEEKS))


@pytest.mark.usefixtures("sql")
def test_what_is_read_and_exported_is_completed_first(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    drive(*map(taken, WEEKS))
    assert len(otcpipe.read(UNUSUAL, last=WEEKS[1])) == 2
    assert incomplete() == WEEKS[2:]
    export.export(UNUSUAL, None, None, form="csv", at=None, folder=tmp_path, is_dry=True)
    assert "4 rows of symbol_unusual" in capsys.readouterr().out
    assert incomplete() == []


@pytest.mark.usefixtures("sql")
def test_a_server_that_refuses_changes_says_what_is_incomplete(environment: dict[str, str]) -> None:
    drive(taken(WEEK))
    option = "?options=-c%20default_transaction_read_only%3Don"
    replica = Database(environment["OTCPIPE_DATABASE_URL"] + option)
    with pytest.raises(Unready, match="run `otcpipe history`"):
        completion.incomplete(replica)
    completion.complete(resources.database())
    assert completion.incomplete(replica) == []
    replica.close()


def test_the_history_of_a_deferred_metric_is_built_when_it_is_asked_for(sql: Sql) -> None:
    drive(*map(taken, WEEKS))
    completion.complete(resources.database())
    history.build(resources.database())
    assert sql(f"select count(*) from otc.{UNUSUAL}_history") == [(0,)]
    assert len(otcpipe.read(UNUSUAL, history=True)["week_ending"].unique()) == len(WEEKS)
    drive(taken(WEEKS[0], 20, later=1))
    assert history.stale(resources.database(), [UNUSUAL]) == []  # to be completed first
    values = otcpipe.read(UNUSUAL, history=True, week=WEEKS[0])["volume_per_day"]
    assert sorted(values) == [2, 4]


def test_only_metrics_over_stored_rows_alone_are_deferred() -> None:
    deferred = [metric for metric in definitions.metrics() if metric.is_deferred]
    assert deferred
    assert all(not metric.needs_records and metric.marks() == [] for metric in deferred)
    assert all(metric.lookahead_weeks > 0 for metric in deferred)


def test_a_metric_that_is_added_is_due_in_all_weeks_that_are_loaded(environment: dict[str, str], sql: Sql) -> None:
    drive(taken(WEEKS[0]), taken(WEEKS[1]))
    completion.complete(resources.database(), [UNUSUAL], WEEKS[0], WEEKS[1])
    asked = "select week_ending, symbol, hhi from otc.symbol_concentration order by 1, 2"
    before = sql(asked)
    with resources.database().transaction() as transaction:
        assert definitions.mark_new(transaction) == [], "all were there before"
    sql("delete from otc.symbol_concentration")
    sql("delete from otc_internal.known_metric where metric in ('symbol_concentration', 'symbol_unusual')")
    with resources.database().transaction() as transaction:
        assert definitions.mark_new(transaction) == ["symbol_concentration", UNUSUAL]
        assert definitions.mark_new(transaction) == []
    assert listed(sql) == WEEKS[:2]
    drive(*reconciled())
    assert before and sql(asked) == before


def test_a_process_leaves_a_metric_that_it_does_not_know_to_others(environment: dict[str, str], sql: Sql) -> None:
    drive(taken(WEEKS[0]))
    sql("insert into otc_internal.known_metric values ('added')")
    sql("insert into otc_internal.metric_due values (%s, 'added', false)", WEEKS[0])
    sql("insert into otc_internal.metric_due values (%s, 'symbol_summary', false)", WEEKS[0])
    words = r"metrics that this process does not know \(added\): restart it"
    with pytest.raises(Outdated, match=words):
        claims.claim(resources.database(), taken(WEEKS[1]))
    with pytest.raises(Outdated, match=words), resources.database().transaction() as transaction:
        definitions.mark_due(transaction, WEEKS[1])  # at the end of a run that was claimed before
    compute.compute(resources.database(), WEEKS[0])  # a run that was claimed before the metric was added
    assert sql("select metric from otc_internal.metric_due") == [("added",)]


def test_a_metric_that_is_removed_is_forgotten_and_due_again_when_it_returns(
    environment: dict[str, str], sql: Sql
) -> None:
    drive(taken(WEEKS[0]))
    sql("insert into otc_internal.known_metric values ('removed')")
    sql("insert into otc_internal.metric_due values (%s, 'removed', true)", WEEKS[0])
    sql("insert into otc_internal.deferred_week (week_ending, metric) values (%s, 'removed')", WEEKS[0])
    sql(
        "insert into otc_internal.history_week (metric, week_ending, captures, last_moment, is_complete)"
        " values ('removed', %s, '{}', now(), true)",
        WEEKS[0],
    )
    with resources.database().transaction() as transaction:
        assert definitions.mark_new(transaction) == []
    for table in ("known_metric", "metric_due", "deferred_week", "history_week"):
        assert sql(f"select metric from otc_internal.{table} where metric = 'removed'") == [], table
    sql("insert into otc_internal.metric_due values (%s, 'removed', true)", WEEKS[0])  # by a worker that still has it
    with resources.database().transaction() as transaction:
        assert definitions.mark_new(transaction) == []
    assert sql("select count(*) from otc_internal.metric_due") == [(0,)]
    drive(taken(WEEKS[1]))
    assert sql("select count(distinct week_ending) from otc.symbol_summary") == [(2,)]


def test_a_process_with_a_metric_that_the_database_does_not_know_waits(environment: dict[str, str], sql: Sql) -> None:
    sql("delete from otc_internal.known_metric where metric = 'venue_share'")
    with pytest.raises(Unready, match="does not know the metrics venue_share: run `otcpipe migrate`"):
        claims.claim(resources.database(), taken(WEEKS[0]))
