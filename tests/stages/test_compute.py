"""Which weeks are due, and their computation, by one worker a week."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from time import sleep
from typing import Any

import psycopg
import pytest

from otcpipe import resources
from otcpipe.datasets import TIERS
from otcpipe.errors import TooSoon
from otcpipe.metrics import catalog, definitions
from otcpipe.metrics.parallel import LOCKS, PARALLEL_LOCKS
from otcpipe.pipeline import definition, ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.stages import compute
from otcpipe.storage import keys
from otcpipe.storage.postgres import Transaction
from tests.metrics.load import tables
from tests.support.pipeline import NOON, WEEK, carrier, drive, file_text, functions, observe

Sql = Callable[..., list[tuple[Any, ...]]]
WEEKS = [WEEK + timedelta(days=7 * number) for number in range(8)]
DAY = timedelta(days=1)
SHARES = {"AAA": 10, "BBB": 20, "CCC": 30}


def taken(week: date, tier: str = "OTCE", *, later: int = 0, **changed: int) -> Run:
    """The observation of a partition, some symbols of which have other volumes than at first."""
    rows = [(symbol, mpid, shares, 1) for symbol, shares in (SHARES | changed).items() for mpid in ("AAAA", "BBBB")]
    return observe(file_text(rows, tier), Partition(week, tier), NOON + timedelta(days=later))


def computed(sql: Sql, metric: str) -> dict[tuple[str, ...], object]:
    """When each row of a metric by symbol was computed."""
    return {
        tuple(row[:-1]): row[-1]
        for row in sql(f"select week_ending::text, symbol, scope, computed_at from otc.{metric}")
    }


def compute_all(weeks: list[date]) -> None:
    """Do as delayed messages do."""
    for week in weeks:
        while True:
            try:
                compute.compute(resources.database(), week)
                break
            except TooSoon as wait:
                sleep(wait.seconds / 50)


def test_a_change_marks_the_loaded_weeks_within_each_metrics_lookahead(sql: Sql) -> None:
    drive(*[taken(WEEKS[number]) for number in (0, 2, 3, 5, 7)])
    with resources.database().transaction() as transaction:
        definitions.mark_due(transaction, WEEKS[2])
    due = sql(
        "select metric, over_stored, array_agg(week_ending order by week_ending)"
        " from otc_internal.metric_due group by 1, 2"
    )
    loaded = [WEEKS[number] for number in (2, 3, 5, 7)]
    assert sorted((name, over_stored) for name, over_stored, _ in due) == sorted(
        (name, over_stored) for metric in definitions.metrics() for name, over_stored, _ in metric.marks()
    )
    marked = {(name, over_stored): weeks for name, over_stored, weeks in due}
    assert marked["symbol_summary", False] == marked["venue_share", False] == loaded[:1]
    assert marked["symbol_rolling_avg", True] == marked["venue_share", True] == loaded
    assert ("symbol_rolling_avg", False) not in marked
    assert not any(compute.compute(resources.database(), WEEKS[2]).values())
    assert sql("select * from otc_internal.metric_due") == []


def test_a_week_within_the_lookahead_is_computed_over_stored_rows(sql: Sql) -> None:
    rows = """
        select mpid, total_volume::int, share_change_1w_pts::text
        from otc.venue_share where week_ending = %s and tier = 'OTCE' order by 1
    """
    drive(taken(WEEKS[0]), taken(WEEKS[1]))
    assert sql(rows, WEEKS[1]) == [("AAAA", 60, "0.0000"), ("BBBB", 60, "0.0000")]
    sql("delete from otc_internal.volume_record where week_ending = %s", WEEKS[1])
    drive(observe(file_text([("AAA", "AAAA", 3, 1), ("AAA", "BBBB", 1, 1)]), Partition(WEEKS[0], "OTCE"), NOON + DAY))
    assert sql(rows, WEEKS[1]) == [("AAAA", 60, "-25.0000"), ("BBBB", 60, "25.0000")]


def test_computed_at_moves_only_where_a_value_did(sql: Sql) -> None:
    drive(*[taken(week) for week in WEEKS[:3]])
    before = {metric: computed(sql, metric) for metric in ("symbol_summary", "symbol_rolling_avg")}
    drive(taken(WEEKS[1], later=1, BBB=21))
    moved = {
        metric: {key for key, moment in computed(sql, metric).items() if moment != before[metric][key]}
        for metric in before
    }
    assert moved["symbol_summary"] == {(str(WEEKS[1]), "BBB", "ATS")}
    assert moved["symbol_rolling_avg"] == {(str(week), "BBB", "ATS") for week in WEEKS[1:3]}


def test_what_is_withdrawn_leaves_the_tables(sql: Sql) -> None:
    drive(taken(WEEK))
    drive(observe(file_text([("AAA", "AAAA", 1, 1)]), Partition(WEEK, "OTCE"), NOON + DAY))
    for metric in ("symbol_summary", "symbol_rolling_avg", "symbol_concentration"):
        assert {symbol for _, symbol, _ in computed(sql, metric)} == {"AAA"}
    assert sql("select mpid from otc.venue_share") == [("AAAA",)]


def test_partitions_of_a_week_that_arrive_together_are_computed_once(sql: Sql) -> None:
    drive(*[taken(WEEK, tier) for tier in TIERS])
    runs = sql("select state, attempts, counts from otc.stage_run where stage = 'compute' order by counts = '{}'")
    assert [(state, bool(counts)) for state, _, counts in runs] == [("done", True), ("done", False), ("done", False)]
    assert runs[0][2]["symbol_summary"] == len(TIERS) * len(SHARES)


def test_a_requested_or_held_run_or_one_of_a_due_week_is_not_completed(sql: Sql) -> None:
    drive(*[taken(week, tier) for week in WEEKS[:3] for tier in ("T1", "OTCE")])
    sql("update otc.stage_run set state = 'queued' where stage = 'compute'")
    sql("update otc.stage_run set request = 'again' where stage = 'compute' and week_ending = %s", WEEKS[1])
    with resources.database().transaction() as transaction:
        definitions.mark_due(transaction, WEEKS[0])
    sql("delete from otc_internal.metric_due where week_ending <> %s", WEEKS[0])
    sql("update otc.capture_quality set grade = 'F' where week_ending = %s and tier = 'T1'", WEEKS[2])
    settled = "select week_ending, tier from otc.stage_run where stage = 'compute' and state = 'done' order by 1, 2"
    ledger.complete_waiting_computes(resources.database())
    assert sql(settled) == [(WEEKS[2], "OTCE")]
    compute.compute(resources.database(), WEEKS[0])
    ledger.complete_waiting_computes(resources.database())
    assert sql(settled) == [(WEEKS[0], "OTCE"), (WEEKS[0], "T1"), (WEEKS[2], "OTCE")]


@pytest.mark.parametrize("metric", ["symbol_summary", "symbol_concentration", "symbol_rolling_avg"])
def test_what_fails_half_way_is_due_until_all_of_it_is_stored(sql: Sql, metric: str) -> None:
    """Metrics are stored in parallel: one may be stored when another fails."""
    drive(taken(WEEKS[0]), taken(WEEKS[1]))
    before = tables()
    for one in definitions.metrics():
        sql(f"truncate otc.{one.name}")
    with resources.database().transaction() as transaction:
        definitions.mark_due(transaction, WEEKS[0])
        definitions.mark_due(transaction, WEEKS[1])
    sql(f"alter table otc.{metric} add constraint broken check (symbol <> 'BBB')")
    with pytest.raises(psycopg.errors.CheckViolation):
        compute.compute(resources.database(), WEEKS[0])
    assert (metric, WEEKS[0]) in sql("select metric, week_ending from otc_internal.metric_due")
    sql(f"alter table otc.{metric} drop constraint broken")
    compute_all(WEEKS[:2])
    assert tables() == before
    assert sql("select count(*) from otc_internal.metric_due") == [(0,)]
    assert (
        sql("select count(*) from otc_internal.symbol_sum")
        == sql("select count(*) from otc_internal.venue_sum")
        == [(0,)]
    )


def test_leftovers_of_a_killed_worker_are_not_read(sql: Sql) -> None:
    drive(taken(WEEKS[0]), taken(WEEKS[1]))
    before = tables()
    sql(
        "insert into otc_internal.venue_sum select v.* from otc_internal.venues_as_of(null, %s, %s, null, null) as v",
        WEEKS[1],
        WEEKS[1],
    )
    sql("update otc_internal.venue_sum set volume = 2 * volume where mpid = 'AAAA'")
    assert not any(compute.find_differences(resources.database(), WEEKS[1])[0].values())
    drive(taken(WEEKS[0], later=1, AAA=11))
    drive(taken(WEEKS[0], later=2))
    assert tables() == before
    assert sql("select count(*) from otc_internal.venue_sum") == [(0,)]


def test_a_computation_that_was_cut_off_stores_nothing_more(
    environment: dict[str, str], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is lost, and another worker may have the week."""
    drive(taken(WEEKS[0]))
    before = tables()
    for one in definitions.metrics():
        sql(f"truncate otc.{one.name}")
    with resources.database().transaction() as transaction:
        definitions.mark_due(transaction, WEEKS[0])
    store = compute._store

    def cut_off(*given: Any) -> None:
        sql(
            "select pg_terminate_backend(pid, 9000) from pg_locks where locktype = 'advisory' and classid = %s", LOCKS
        )
        store(*given)

    monkeypatch.setattr(compute, "_store", cut_off)
    with pytest.raises(TooSoon, match="was cut off"):
        compute.compute(resources.database(), WEEKS[0])
    assert not any(rows for name, rows in tables().items() if name in catalog.stored())
    monkeypatch.undo()
    compute_all(WEEKS[:1])
    assert tables() == before


def test_a_computation_waits_for_one_that_was_cut_off_and_still_stores(environment: dict[str, str], sql: Sql) -> None:
    drive(taken(WEEKS[0]))
    with resources.database().transaction() as transaction:
        definitions.mark_due(transaction, WEEKS[0])
    with ThreadPoolExecutor() as pool:
        with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as lane:
            lane.execute(
                "select pg_advisory_xact_lock_shared(%s, %s::date - date '2000-01-01')", (PARALLEL_LOCKS, WEEKS[0])
            )
            running = pool.submit(compute.compute, resources.database(), WEEKS[0])
            sleep(0.5)
            assert not running.done()
        running.result()
    assert sql("select count(*) from otc_internal.metric_due") == [(0,)]


def test_two_workers_at_once_give_the_tables_of_one(sql: Sql) -> None:
    drive(*[taken(week, AAA=7 * number) for number, week in enumerate(WEEKS[:6])])
    of_one = tables()
    for _ in range(2):
        for metric in definitions.metrics():
            sql(f"truncate otc.{metric.name}")
        with resources.database().transaction() as transaction:
            for week in WEEKS:
                definitions.mark_due(transaction, week)
        with ThreadPoolExecutor() as runners:
            list(runners.map(compute_all, (WEEKS, WEEKS[::-1])))
        assert sql("select * from otc_internal.metric_due") == []
        assert tables() == of_one


@pytest.mark.parametrize("held", WEEKS[:2])
def test_a_computation_is_delayed_while_another_has_its_week_or_one_that_it_reads(
    environment: dict[str, str], sql: Sql, held: date
) -> None:
    drive(taken(WEEKS[0]), taken(WEEKS[1]))
    sql("update otc.symbol_summary set total_volume = 0 where week_ending = %s", WEEKS[1])
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as other:
        other.execute("select pg_advisory_xact_lock(%s, %s::date - date '2000-01-01')", (LOCKS, held))
        with resources.database().transaction() as transaction:
            definitions.mark_due(transaction, WEEKS[1])
        with pytest.raises(TooSoon, match=f"is computing the week ending {WEEKS[1]} or a week that it reads"):
            compute.compute(resources.database(), WEEKS[1])
        due = sql("select distinct over_stored from otc_internal.metric_due where week_ending = %s", WEEKS[1])
        assert (False,) in due or held != WEEKS[1], "its records are the other's"
        assert (True,) in due, "what it reads is not there yet"
    compute.compute(resources.database(), WEEKS[1])
    summed = "select distinct total_volume::int from otc.symbol_summary where week_ending = %s order by 1"
    assert sql(summed, WEEKS[1]) == [(20,), (40,), (60,)]
    assert sql("select * from otc_internal.metric_due") == []


def test_a_run_requested_again_marks_its_week_once_however_often_it_is_delayed(
    environment: dict[str, str], sql: Sql
) -> None:
    drive(taken(WEEK))
    asked = "select key, generation from otc.stage_run where stage = 'compute'"
    ((key, generation),) = sql(asked)
    run = Run(definition.named("compute"), keys.parse(key, resources.settings()["S3_PREFIX"]), generation, "again")
    ledger.request(resources.database(), run)
    assert len(sql("select distinct metric from otc_internal.metric_due")) == sum(
        not metric.is_deferred for metric in definitions.metrics()
    )
    put_off = list[Run]()
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as other:
        other.execute("select pg_advisory_xact_lock(%s, %s::date - date '2000-01-01')", (LOCKS, WEEK))
        carrier(lambda run, _: put_off.append(run)).execute(run, functions()["compute"])
        sql("delete from otc_internal.metric_due")  # the other runner did it all, and goes on with something else
        carrier(lambda run, _: put_off.append(run)).execute(put_off[0], functions()["compute"])
    assert [one for one in put_off if one.stage == run.stage] == [run]
    assert sql("select state, counts from otc.stage_run where stage = 'compute'") == [
        ("done", {metric.name: 0 for metric in definitions.metrics()})
    ]


def test_due_weeks_are_not_taken_before_a_change_in_progress_commits(sql: Sql) -> None:
    drive(taken(WEEK))
    with resources.database().transaction() as transaction:
        definitions.mark_due(transaction, WEEK)
    with ThreadPoolExecutor() as runner:
        with resources.database().transaction() as transaction:
            definitions.mark_due(transaction, WEEK)
            running = runner.submit(compute.compute, resources.database(), WEEK)
            sleep(0.5)
            transaction.connection.execute("update otc_internal.volume_record set share_volume = 7")
        running.result()
    assert sql("select distinct total_volume::int from otc.symbol_summary") == [(14,)]


def test_records_of_two_weeks_are_computed_at_once_and_their_order_shows_nowhere(
    environment: dict[str, str], sql: Sql
) -> None:
    drive(*[taken(week, AAA=7 * number) for number, week in enumerate(WEEKS[:3])])
    in_order = tables()
    for metric in definitions.metrics():
        sql(f"truncate otc.{metric.name}")
    with resources.database().transaction() as transaction:
        for week in WEEKS[:3]:
            definitions.mark_due(transaction, week)
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as other:
        other.execute("select pg_advisory_xact_lock(%s, %s::date - date '2000-01-01')", (LOCKS, WEEKS[0]))
        with pytest.raises(TooSoon):
            compute.compute(resources.database(), WEEKS[1])
    assert sql("select distinct week_ending from otc.symbol_summary order by 1") == [(week,) for week in WEEKS[1:3]]
    compute_all(WEEKS[:3])
    assert tables() == in_order


def test_another_week_is_left_to_its_own_message_while_its_records_are_pending(sql: Sql) -> None:
    drive(*[taken(week) for week in WEEKS[:3]])
    coming = taken(WEEKS[1], "T1")
    with resources.database().transaction() as transaction:
        for week in WEEKS[:3]:
            definitions.mark_due(transaction, week)
    for week in (WEEKS[0], WEEKS[2]):
        compute.compute(resources.database(), week)
    due = "select distinct week_ending, over_stored from otc_internal.metric_due order by 1, 2"
    assert sql(due) == [(WEEKS[1], False), (WEEKS[1], True), (WEEKS[2], True)]
    drive(coming)
    assert sql(due) == []


def test_a_week_within_the_lookahead_is_left_to_its_records_while_these_are_pending(sql: Sql) -> None:
    drive(*[taken(week) for week in WEEKS[:2]])
    coming = taken(WEEKS[1], "T1")
    with resources.database().transaction() as transaction:
        definitions.mark_due(transaction, WEEKS[0])
    compute.compute(resources.database(), WEEKS[0])
    due = "select distinct week_ending, over_stored from otc_internal.metric_due"
    assert sql(due) == [(WEEKS[1], True)]
    drive(coming)
    assert sql(due) == []


def test_a_week_waits_for_an_earlier_one_that_it_reads(sql: Sql) -> None:
    drive(taken(WEEKS[0]), taken(WEEKS[1]))
    sql("update otc.symbol_summary set total_volume = 0")
    for week in WEEKS[:2]:
        sql(
            "insert into otc_internal.metric_due"
            " values (%s, 'symbol_summary', false), (%s, 'symbol_rolling_avg', true)",
            week,
            week,
        )
    compute.compute(resources.database(), WEEKS[1])
    assert sql("select avg_6w_volume::int from otc.symbol_rolling_avg where symbol = 'AAA'") == [(20,), (20,)]


def test_the_last_partition_of_a_week_computes_for_all_pending_ones(sql: Callable[..., Any]) -> None:
    content = file_text([("AAA", "AAAA", 5, 1)])
    other = file_text([("BBB", "AAAA", 5, 1)], "T1")
    runs = drive(observe(content, Partition(WEEK, "OTCE")), observe(other, Partition(WEEK, "T1")))
    assert {run.stage for run in runs} == set(definition.running()[1:])
    assert sql("select count(distinct computed_at) from otc.symbol_summary") == [(1,)]


def test_records_that_change_just_before_their_marks_are_taken_are_computed_first(
    sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulate a worker that is paused between reading what is due and taking it."""
    week = WEEKS[1]
    drive(taken(WEEKS[0]), taken(week))
    changed, real, persisted = taken(week, later=1, BBB=21), Transaction.rows, list[Run]()
    with resources.database().transaction() as transaction:
        transaction.run("mark_due", week=week, metrics=["symbol_rolling_avg"], over_stored=[True], reaches=[0])
    sql("update otc.stage_run set attempts = 9 where state = 'queued'")  # so that it is not waited for

    def rows(self: Transaction, name: str, /, **values: object) -> list[dict[str, Any]]:
        if name == "take_due" and values["over_stored"] and not persisted:
            persisted.append(changed)
            for stage in ("cache", "parse", "normalize", "persist"):
                following = persisted[-1].following(functions()[stage](persisted[-1]))
                assert following
                persisted.append(following)
        return real(self, name, **values)

    with monkeypatch.context() as patched:
        patched.setattr(Transaction, "rows", rows)
        compute_all([week])
    assert persisted
    assert sql("select count(*) from otc_internal.metric_due") == [(0,)]
    volumes = sql("select current_volume::int from otc.symbol_rolling_avg where symbol = 'BBB' order by week_ending")
    assert volumes == [(40,), (42,)]
