"""What looks back on other weeks is computed once these have settled, whatever the order in which weeks arrive."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otcpipe import resources
from otcpipe.metrics import definitions
from otcpipe.pipeline import definition, ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition, StageResult
from otcpipe.storage import keys
from tests.metrics.load import tables
from tests.support.pipeline import NOON, WEEK, carrier, drive, fail, file_text, observe, reconciled

Sql = Callable[..., list[tuple[Any, ...]]]
WEEKS = [WEEK + timedelta(days=7 * number) for number in range(4)]
OVER_STORED = [one.name for one in definitions.metrics() if one.reads_stored_weeks and not one.is_deferred]
COUNT = """
    create table if not exists otc_internal.taken (week_ending date, metric text);
    create or replace function otc_internal.count_taken() returns trigger language plpgsql as $$
    begin
        insert into otc_internal.taken values (old.week_ending, old.metric);
        return null;
    end
    $$;
    create or replace trigger count_taken after delete on otc_internal.metric_due
    for each row when (old.over_stored) execute function otc_internal.count_taken();
    truncate otc_internal.taken
"""


def taken(week: date, tier: str = "T1", shares: int = 10, later: int = 0) -> Run:
    content = file_text([("AAA", "AAAA", shares, 1), ("BBB", "BBBB", 7, 1)], tier)
    return observe(content, Partition(week, tier), NOON + timedelta(days=later))


def computed(sql: Sql) -> Counter[tuple[date, str]]:
    """How often each metric over stored rows of a week was computed."""
    return Counter((week, metric) for week, metric in sql("select week_ending, metric from otc_internal.taken"))


def fetch(week: date, tier: str = "T2") -> Run:
    """Request a fetch, which is then waited for."""
    key = keys.parse(f"partition/{tier}/{week}", resources.settings()["S3_PREFIX"])
    return ledger.request(resources.database(), Run(definition.named("fetch"), key, request="a test"))


def end_unpublished(asked: Run) -> list[Run]:
    """Execute a fetch that finds nothing published, and what follows from it; return it and the computations."""
    sent: list[Run] = []
    carrier(lambda run, _: sent.append(run)).execute(asked, lambda _: StageResult(None, reason="not published yet"))
    return [asked, *(run for run in drive(*sent) if run.stage.name == "compute")]


def test_newest_first_each_week_is_computed_once_over_stored_rows(sql: Sql) -> None:
    sql(COUNT)
    runs = [taken(week) for week in WEEKS]
    for run in reversed(runs):
        drive(run)
    assert computed(sql) == Counter({(week, metric): 1 for week in WEEKS for metric in OVER_STORED})
    assert sql("select * from otc_internal.metric_due") == []


def test_a_weeks_own_metrics_do_not_wait_for_other_weeks(sql: Sql) -> None:
    runs = [taken(week) for week in WEEKS]
    drive(runs[-1])
    assert sql("select distinct week_ending from otc.symbol_summary") == [(WEEKS[-1],)]
    assert sql("select distinct week_ending from otc.venue_share") == [(WEEKS[-1],)]
    assert sql("select * from otc.symbol_rolling_avg") == []
    assert {(WEEKS[-1], "symbol_rolling_avg"), (WEEKS[-1], "venue_share")} <= set(
        sql("select week_ending, metric from otc.incomplete_week")
    )
    assert sql("select distinct state from otc.stage_run where stage = 'compute'") == [("done",)]
    drive(*runs[:-1])
    assert sql("select distinct week_ending from otc.symbol_rolling_avg order by 1") == [(week,) for week in WEEKS]


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(WEEKS), at_once=st.integers(1, 3), random=st.randoms(use_true_random=False))
def test_in_any_order_the_work_is_at_most_twice_that_of_the_oldest_first(
    order: list[date], at_once: int, random: Random, sql: Sql
) -> None:
    """Each example restates all partitions, and some of their weeks are in the pipeline at once."""
    later = int(sql("select count(*) from otc.capture")[0][0])
    runs = {week: [taken(week, tier, 10 + later, later) for tier in ("T1", "OTCE")] for week in order}
    sql(COUNT)
    for start in range(0, len(order), at_once):
        together = [run for week in order[start : start + at_once] for run in runs[week]]
        random.shuffle(together)
        drive(*together)
    assert sql("select * from otc_internal.metric_due") == []
    found = computed(sql)
    oldest_first = len(WEEKS) * len(OVER_STORED)
    assert oldest_first <= found.total() <= 2 * oldest_first
    stored = tables()
    with resources.database().transaction() as transaction:
        for week in WEEKS:
            definitions.mark_due(transaction, week)
    drive(*reconciled())
    assert tables() == stored


def test_what_waited_for_a_fetch_that_fails_is_found_by_reconcile(sql: Sql) -> None:
    asked = fetch(WEEKS[0])
    drive(taken(WEEKS[1]))
    assert sql("select * from otc.symbol_rolling_avg") == []
    assert reconciled() == []  # it is under way
    fail(asked, "FINRA does not answer")
    (found,) = reconciled()
    assert (found.stage.name, found.key.partition.week_ending) == ("compute", WEEKS[1])
    drive(found)
    assert sql("select distinct week_ending from otc.symbol_rolling_avg") == [(WEEKS[1],)]


def test_what_waited_for_fetches_is_computed_when_the_last_of_them_ends_with_nothing_published(sql: Sql) -> None:
    asked = [fetch(WEEKS[0]), fetch(WEEKS[2])]
    drive(taken(WEEKS[1]), taken(WEEKS[3]))
    assert sql("select * from otc.symbol_rolling_avg") == []
    assert [run.key.partition.week_ending for run in end_unpublished(asked[0])] == [WEEKS[0], WEEKS[1]]
    assert sql("select distinct week_ending from otc.symbol_rolling_avg") == [(WEEKS[1],)]
    assert [run.key.partition.week_ending for run in end_unpublished(asked[1])] == [WEEKS[2], WEEKS[3]]
    assert sql("select * from otc_internal.metric_due") == []
    assert reconciled() == []
    assert len(end_unpublished(asked[1])) == 1  # its message, delivered again


@pytest.mark.parametrize("change", ["attempts = 4", "queued_at = now() - interval '7 hours'"])
def test_what_failed_again_and_again_or_was_queued_long_ago_is_not_waited_for(sql: Sql, change: str) -> None:
    fetch(WEEKS[0])
    sql(f"update otc.stage_run set {change} where stage = 'fetch'")
    drive(taken(WEEKS[1]))
    assert sql("select distinct week_ending from otc.symbol_rolling_avg") == [(WEEKS[1],)]


def test_a_week_further_back_than_a_metric_reads_is_not_waited_for(sql: Sql) -> None:
    reach = definitions.named("symbol_rolling_avg").lookahead_weeks
    fetch(WEEKS[0])
    drive(taken(WEEKS[0] + (reach + 1) * definitions.WEEK))
    assert sql("select count(*) from otc.symbol_rolling_avg") == [(2,)]
    assert sql("select metric from otc.incomplete_week where metric = any(%s)", OVER_STORED) == [("venue_share",)]
