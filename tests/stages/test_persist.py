"""Captures in every order, of every coverage, against what the tables should hold."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from otcpipe import resources
from otcpipe.audit.revisions import revisions
from otcpipe.errors import Permanent
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.stages import apply, normalize, versions
from otcpipe.storage import sql as statements
from otcpipe.storage.postgres import Transaction
from otcpipe.text.values import Number
from tests.support.pipeline import (
    NOON,
    WEEK,
    api_text,
    carrier,
    drive,
    file_text,
    functions,
    observe,
    of_stage,
    reconciled,
)
from tests.support.plans import is_of_records, nodes

Sql = Callable[..., list[tuple[Any, ...]]]
OTCE = Partition(WEEK, "OTCE")
T1 = Partition(WEEK, "T1")
HISTORY = """
    select r.symbol, r.mpid, r.share_volume, r.notional, r.product_type, b.observed_at, e.observed_at
    from otc_internal.volume_record r join otc.capture b on b.capture_id = r.opened_by
    left join otc.capture e on e.capture_id = r.closed_by order by 1, 2, 5, 6
"""
METRICS = "select symbol, scope, total_volume, venue_count from otc.symbol_summary order by 1, 2"
NON_ATS = {"summaryTypeCode": "OTC_W_SMBL_FIRM", "MPID": "", "firmCRDNumber": 7, "marketParticipantName": "Seven LLC"}


def current(sql: Sql) -> list[tuple[Any, ...]]:
    return sql("select symbol, mpid, share_volume::int from otc.venue_volume order by 1, 2")


def test_content_that_reverts_is_applied_again(sql: Sql) -> None:
    a, b = file_text([("SPY", "AAAA", 81448654, 1)]), file_text([("SPY", "AAAA", 96459364, 1)])
    for day, content in enumerate((a, b, a)):
        drive(observe(content, OTCE, NOON + timedelta(days=day)))
    assert sql("select count(*) from otc_internal.volume_record") == [(3,)]
    assert current(sql) == [("SPY", "AAAA", 81448654)]
    assert sql("select total_volume::int from otc.symbol_summary") == [(81448654,)]


def test_only_changes_become_revisions_and_missing_records_are_closed(sql: Sql) -> None:
    drive(observe(file_text([("A", "AAAA", 1, 1), ("B", "AAAA", 2, 1), ("C", "AAAA", 3, 1)]), OTCE))
    drive(observe(file_text([("A", "AAAA", 1, 1), ("B", "AAAA", 9, 1)]), OTCE, NOON + timedelta(days=1)))
    assert current(sql) == [("A", "AAAA", 1), ("B", "AAAA", 9)]
    assert sql("select symbol, closed_by is null from otc_internal.volume_record order by 1, 2") == [
        ("A", True),
        ("B", False),
        ("B", True),
        ("C", False),
    ]


def persisted(run: Run) -> list[Run]:
    """Execute a run and those that follow up to persist; return what follows then."""
    work, following = functions(), [run]
    while following[0].stage.name != "compute":
        run = following.pop()
        carrier(lambda run, _: following.append(run)).execute(run, work[run.stage.name])
    return following


def test_names_of_a_capture_that_is_persisted_while_an_earlier_one_waits_are_kept(sql: Sql) -> None:
    """The earlier one is persisted last, and reapplies the other with the names that came meanwhile."""
    drive(observe(file_text([("T", "AAAA", 1, 1)], "T1"), T1, NOON))  # makes the table of the quarter
    sql(
        """
        create function otc_internal.wait() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock(4242); return null; end $$;
        create constraint trigger wait after insert on otc_internal.name deferrable initially deferred
        for each row when (new.name = 'SLOW Inc') execute function otc_internal.wait()
        """
    )
    with psycopg.connect(resources.settings()["DATABASE_URL"]) as held, ThreadPoolExecutor() as threads:
        held.execute("select pg_advisory_xact_lock(4242)")
        earlier = threads.submit(persisted, observe(file_text([("SLOW", "AAAA", 1, 1)]), OTCE, NOON))
        while not sql("select 1 from pg_locks where locktype = 'advisory' and objid = 4242 and not granted"):
            assert not earlier.done()
        following = persisted(observe(file_text([("NEW", "BBBB", 2, 1)]), OTCE, NOON + timedelta(days=1)))
        held.rollback()
        drive(*earlier.result(), *following)
    found = "select symbol, issue_name, venue_name from otc.venue_volume_history where tier = 'OTCE' order by 1"
    assert sql(found) == [
        ("NEW", "NEW Inc", "BBBB VENUE"),
        ("SLOW", "SLOW Inc", "AAAA VENUE"),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[1::3])
def test_captures_in_any_order_give_the_same_tables(sql: Sql, order: tuple[int, ...]) -> None:
    contents = [
        file_text([("A", "AAAA", 1, 1), ("B", "AAAA", 2, 1)]),
        file_text([("A", "AAAA", 5, 1), ("C", "BBBB", 3, 1)]),
        file_text([("A", "AAAA", 5, 1), ("B", "AAAA", 2, 1)]),
        file_text([("A", "AAAA", 1, 1), ("B", "AAAA", 2, 1)]),
    ]
    for number in order:
        drive(observe(contents[number], OTCE, NOON + timedelta(days=number)))
    days = [NOON + timedelta(days=number) for number in range(4)]
    assert [(row[0], int(row[2]), *row[5:]) for row in sql(HISTORY)] == [
        ("A", 1, days[0], days[1]),
        ("A", 5, days[1], days[3]),
        ("A", 1, days[3], None),
        ("B", 2, days[0], days[1]),
        ("B", 2, days[2], None),
        ("C", 3, days[1], days[2]),
    ]
    assert [row[:3] for row in sql(METRICS)] == [("A", "ATS", 1), ("B", "ATS", 2)]


def test_a_file_neither_withdraws_nor_blanks_what_only_the_api_has(sql: Sql) -> None:
    drive(observe(api_text([{"totalWeeklyShareQuantity": "100.5"}, NON_ATS], T1), T1, covers="all"))
    same = file_text([("ABC", "AAAA", "100.5", 10)], "T1").replace(b"ABC Inc", b"Abc Inc")
    drive(observe(same, T1, NOON + timedelta(days=1)))
    assert sql("select count(*), min(notional), max(product_type) from otc_internal.volume_record") == [
        (2, 1000.5, "UTP")
    ]


def test_a_file_that_differs_from_the_api_revises_just_its_rows(sql: Sql) -> None:
    drive(observe(api_text([{}, {"MPID": "BBBB"}, NON_ATS], T1), T1, covers="all"))
    revised = file_text([("ABC", "AAAA", 150, 10), ("ABC", "BBBB", 100, 10)], "T1")
    revised = revised.replace(b"ABC Inc", b"Abc Inc").replace(b"BBBB VENUE", b"AAAA VENUE")
    drive(observe(revised, T1, NOON + timedelta(days=1)))
    rows = sql("select mpid, share_volume::int, notional, product_type from otc.venue_volume order by 1 nulls last")
    assert rows == [("AAAA", 150, None, "UTP"), ("BBBB", 100, 1000.5, "UTP"), (None, 100, 1000.5, "UTP")]


def test_the_api_completes_what_a_file_began(sql: Sql) -> None:
    file = file_text([("ABC", "AAAA", 100, 10), ("GONE", "AAAA", 5, 1)], "T1").replace(b"ABC Inc", b"Abc Inc")
    drive(observe(file, T1))
    assert sql(METRICS) == [("ABC", "ATS", 100, 1), ("GONE", "ATS", 5, 1)]
    drive(observe(api_text([{}, NON_ATS], T1), T1, NOON + timedelta(days=1), covers="all"))
    assert sql(METRICS) == [("ABC", "ALL", 200, 2), ("ABC", "ATS", 100, 1), ("ABC", "NON_ATS", 100, 1)]
    assert sql("select min(notional), count(*) from otc.venue_volume") == [(1000.5, 2)]


def test_a_file_changes_neither_of_two_products_of_the_api(sql: Sql) -> None:
    drive(observe(api_text([{}, {"productTypeCode": "CTS", "totalWeeklyShareQuantity": 7}], T1), T1, covers="all"))
    file = file_text([("ABC", "AAAA", 7, 10)], "T1").replace(b"ABC Inc", b"Abc Inc")
    drive(observe(file, T1, NOON + timedelta(days=1)))
    assert sorted(row[2] for row in current(sql)) == [7, 100]
    assert sql("select count(*) from otc_internal.volume_record") == [(2,)]


def test_rows_of_one_symbol_and_venue_may_differ_in_product_or_issue_name(sql: Sql) -> None:
    rows: list[dict[str, object]] = [
        {},
        {"productTypeCode": "CTS"},
        {"issueName": "Abc New Inc"},
        {"productTypeCode": ""},
    ]
    drive(observe(api_text(rows, T1), T1, covers="all"))
    assert sql("select count(*) from otc.venue_volume") == [(4,)]
    assert sql("select total_volume::int, venue_count from otc.symbol_summary where scope = 'ATS'") == [(400, 1)]


def test_the_natural_key_is_enforced_with_nulls_alike(sql: Sql) -> None:
    drive(observe(api_text([{"productTypeCode": "", "issueSymbolIdentifier": ""}], T1), T1, covers="all"))
    with pytest.raises(Exception, match="duplicate key value violates unique constraint"):
        sql("insert into otc_internal.volume_record select * from otc_internal.volume_record")


def test_every_row_of_a_capture_is_accounted_for(sql: Sql) -> None:
    good = file_text([("A", "AAAA", 1, 1), ("", "AAAA", 2, 1), ("C", "AAAA", "1.1234567", 1)])
    drive(observe(good + b"broken|line\n\n", OTCE))
    assert sql("select rows, records, totals, rejects from otc.capture") == [(4, 2, 0, 2)]
    assert [line for (line,) in sql("select line from otc.reject order by 1")] == [4, 5]
    assert sql("select symbol from otc.symbol_summary") == [("A",)]
    assert sql("select total_volume::int, symbol_count from otc.venue_share where tier = 'OTCE'") == [(3, 1)]


def test_a_capture_without_one_record_withdraws_nothing(sql: Sql) -> None:
    drive(observe(api_text([{}], T1), T1, covers="all"))
    broken = api_text([{"lastUpdateDate": "2025-12-15T00:00:01"}], T1)
    with pytest.raises(Permanent, match="existing records are unchanged"):
        drive(observe(broken, T1, NOON + timedelta(days=1), "all"))
    assert len(current(sql)) == 1


def test_newer_code_replaces_what_the_older_made_of_the_same_capture(
    sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[dict[str, object]] = [{}, {"MPID": "BBBB", "totalWeeklyShareQuantity": "1.5"}]
    runs = drive(observe(api_text(rows, T1), T1, covers="all"))
    assert current(sql) == [("ABC", "AAAA", 100), ("ABC", "BBBB", 2)]
    with monkeypatch.context() as newer:
        newer.setattr(versions, "NORMALIZE", 99)
        newer.setattr(normalize, "SHARES", Number(9, pa.decimal128(20, 0)))
        drive(replace(runs[2], request="again"))
    assert sql("select symbol, mpid from otc_internal.volume_record") == [("ABC", "AAAA")]
    assert sql("select count(*) from otc.venue_volume_as_of('infinity')") == [(1,)]
    assert revisions(resources.database()) == []
    assert sql("select total_volume::int from otc.symbol_summary where scope = 'ALL'") == [(100,)]


def test_a_file_withdraws_what_the_api_had_under_two_products(sql: Sql) -> None:
    rows: list[dict[str, object]] = [{}, {"productTypeCode": "CTS"}, {"MPID": "BBBB"}]
    drive(observe(api_text(rows, T1), T1, covers="all"))
    file = file_text([("ABC", "BBBB", 100, 10)], "T1").replace(b"ABC Inc", b"Abc Inc")
    drive(observe(file, T1, NOON + timedelta(days=1)))
    assert current(sql) == [("ABC", "BBBB", 100)]


def test_files_and_the_apis_answers_in_any_order_give_the_same_tables(sql: Sql) -> None:
    def file(shares: int, day: int) -> bytes:
        return file_text([("ABC", "AAAA", shares, 10)], "T1", f"2025-12-{day}").replace(b"ABC Inc", b"Abc Inc")

    seven: dict[str, object] = {"productTypeCode": "CTS", "totalWeeklyShareQuantity": 7, "MPID": "BBBB"}
    captures = [
        (file(100, 15), "ats"),
        (api_text([{}, seven, NON_ATS], T1), "all"),
        (file(150, 17), "ats"),
        (api_text([{"totalWeeklyShareQuantity": 150, "lastUpdateDate": "2025-12-17"}, NON_ATS], T1), "all"),
    ]
    dumps = []
    for order in list(itertools.permutations(range(4)))[::5]:
        sql(
            "truncate otc.capture, otc_internal.volume_record, otc.stage_run, otc_internal.metric_due"
            " restart identity"
        )
        sql("truncate otc.symbol_summary, otc.symbol_concentration, otc.symbol_rolling_avg, otc.venue_share")
        for number in order:
            content, covers = captures[number]
            drive(observe(content, T1, NOON + timedelta(days=number), covers))
        dumps.append((order, sql(HISTORY), sql(METRICS)))
    assert [dump[1:] for dump in dumps] == [dumps[0][1:]] * len(dumps)
    assert len(dumps) == 5
    assert len(dumps[0][1]) > 4


ANSWERS: list[list[dict[str, object]]] = [
    [{}, {"MPID": "BBBB"}, NON_ATS, {"issueSymbolIdentifier": ""}, {"productTypeCode": "CTS"}],
    [{"totalNotionalSum": ""}, {"MPID": "DDDD"}, NON_ATS, {"issueSymbolIdentifier": "", "totalWeeklyTradeCount": 3}],
    [
        {"totalNotionalSum": "0"},
        {"MPID": "CCCC"},
        {"MPID": "DDDD"},
        {"issueSymbolIdentifier": "", "totalWeeklyTradeCount": 3},
    ],
]


def _answered(sql: Sql, meddle: Callable[[], object] = lambda: None) -> tuple[list[tuple[Any, ...]], ...]:
    for day, rows in enumerate(ANSWERS):
        drive(observe(api_text(rows, T1), T1, NOON + timedelta(days=day), covers="all"))
        meddle()
    return current(sql), sql(HISTORY), sql(METRICS)


@pytest.mark.parametrize(("few", "expected"), [(apply.MAX_ROWS_BY_LOOKUP, []), (0, ["drop_unchanged"])])
def test_the_diff_of_two_captures_is_applied_unless_most_rows_changed(
    sql: Sql, monkeypatch: pytest.MonkeyPatch, few: int, expected: list[str]
) -> None:
    monkeypatch.setattr(apply, "MAX_ROWS_BY_LOOKUP", few)
    drive(observe(api_text([{}, {"MPID": "BBBB"}, NON_ATS], T1), T1, covers="all"))
    compared, run = list[str](), Transaction.run

    def noted(self: Transaction, name: str, /, **values: object) -> int:
        compared.extend([name] if name.startswith("drop_unchanged") else [])
        return run(self, name, **values)

    monkeypatch.setattr(Transaction, "run", noted)
    changed: list[dict[str, object]] = [{"totalNotionalSum": "0"}, {"MPID": "CCCC"}, NON_ATS]
    drive(observe(api_text(changed, T1), T1, NOON + timedelta(days=1), covers="all"))
    assert compared == expected
    assert sql("select mpid, notional, closed_by is null from otc_internal.volume_record order by 1, 2 desc") == [
        ("AAAA", 1000.5, False),
        ("AAAA", 0, True),
        ("BBBB", 1000.5, False),
        ("CCCC", 1000.5, True),
        (None, 1000.5, True),
    ]


@pytest.mark.parametrize(
    "harm",
    [
        "update otc_internal.volume_record set share_volume = 1 where mpid = 'DDDD'",
        "delete from otc_internal.volume_record where closed_by is null",
        "delete from otc_internal.volume_record where mpid = 'AAAA'",
        "update otc_internal.volume_record set symbol = 'ODD' where mpid is null",
    ],
)
def test_tables_that_do_not_hold_the_previous_capture_are_repaired_by_the_next(sql: Sql, harm: str) -> None:
    unharmed = _answered(sql)[0]
    sql("truncate otc.capture, otc_internal.volume_record, otc.stage_run, otc_internal.metric_due restart identity")
    drive(observe(api_text(ANSWERS[1], T1), T1, covers="all"))
    sql(harm)
    drive(observe(api_text(ANSWERS[2], T1), T1, NOON + timedelta(days=1), covers="all"))
    assert current(sql) == unharmed


def test_a_capture_whose_rows_are_lost_is_compared_by_the_tables(sql: Sql) -> None:
    expected = _answered(sql)
    sql("truncate otc.capture, otc_internal.volume_record, otc.stage_run, otc_internal.metric_due restart identity")

    def lose() -> None:
        for (key,) in sql("select normalized_key from otc.capture"):
            resources.store().discard(key)

    assert _answered(sql, lose) == expected


@pytest.mark.parametrize("statement", ["has_current", "current_sums", "current_records"])
def test_a_partition_is_found_without_reading_the_rest_of_its_quarter(sql: Sql, statement: str) -> None:
    """Misleading statistics once made the planner read twelve other weeks."""
    drive(observe(file_text([("A", "AAAA", 1, 1)]), OTCE))
    sql("analyze otc_internal.volume_record")
    with resources.database().transaction() as transaction:
        transaction.run("use_records")
        transaction.run("plan_for_a_week")
        found = planned(transaction, statement, {"week_ending": WEEK, "tier": "OTCE"})
    scans = [node for node in found if is_of_records(node)]
    assert scans
    assert all("week_ending" in node.get("Index Cond", "") for node in scans)


def test_closed_records_are_found_by_symbol_and_updated_by_position(sql: Sql) -> None:
    """Missing statistics once made the planner compare every pair of rows of a week."""
    drive(observe(file_text([("A", "AAAA", 1, 1)]), OTCE))
    place = {"week_ending": WEEK, "tier": "OTCE"}
    with resources.database().transaction() as transaction:
        transaction.run("use_records")
        transaction.run("plan_for_a_week")
        transaction.run("create_outgoing")
        sought = planned(transaction, "places_of_outgoing", place)
        transaction.run("plan_by_place")
        ended = planned(transaction, "close_at_places", place | {"capture_id": 1, "places": ["(0,1)"]})
    assert ["symbol = o.symbol" in node.get("Index Cond", "") for node in sought if is_of_records(node)] == [True]
    assert "Tid Scan" in {node["Node Type"] for node in ended if is_of_records(node)}


def planned(transaction: Transaction, statement: str, values: dict[str, object]) -> list[dict[str, Any]]:
    asked = "explain (format json) " + statements.statements()[statement]
    return nodes(transaction.connection.execute(asked, values).fetchall()[0]["QUERY PLAN"][0]["Plan"])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_partition_is_judged_by_its_latest_capture_in_any_order_of_arrival(
    sql: Sql, order: tuple[int, ...]
) -> None:
    answers: list[list[dict[str, object]]] = [[{}, {"MPID": "BBBB"}], [{"totalWeeklyShareQuantity": 7}]]
    for day in order:
        drive(observe(api_text(answers[day], T1), T1, NOON + timedelta(days=day), covers="all"))
    assert sql("select records, volume::int, venues from otc.weekly_quality") == [(1, 7, ["AAAA"])]


def test_a_run_whose_capture_postgres_lost_takes_it_up_again_from_its_observation(sql: Sql) -> None:
    runs = drive(observe(file_text([("A", "AAAA", 1, 1)]), OTCE))
    drive(observe(file_text([("A", "AAAA", 2, 1)]), OTCE, NOON + timedelta(days=1)))
    before = sql(HISTORY), sql(METRICS)
    sql("truncate otc.capture, otc_internal.volume_record, otc.stage_run, otc.symbol_summary, otc.capture_quality")
    drive(replace(of_stage(runs, "persist"), request="a message of before"))
    assert [row[:3] for row in sql(HISTORY)] == [("A", "AAAA", 1)]
    drive(*reconciled())
    assert (sql(HISTORY), sql(METRICS)) == before


def test_a_number_that_no_observation_has_is_refused(sql: Sql) -> None:
    last = of_stage(drive(observe(file_text([("A", "AAAA", 1, 1)]), OTCE)), "persist")
    before = sql(HISTORY)
    with pytest.raises(Permanent, match="Neither PostgreSQL nor S3 has capture 999"):
        drive(replace(last, generation=999, request="of an older database"))
    assert sql(HISTORY) == before


def test_a_normalized_key_of_another_capture_is_refused(sql: Sql) -> None:
    first = of_stage(drive(observe(file_text([("A", "AAAA", 1, 1)]), OTCE)), "persist")
    other = of_stage(drive(observe(file_text([("A", "AAAA", 2, 1)], "T2"), Partition(WEEK, "T2"))), "persist")
    before = sql(HISTORY)
    for run in (replace(first, key=other.key), replace(other, key=first.key)):
        with pytest.raises(Permanent, match="does not follow from capture"):
            drive(replace(run, request="mixed up"))
    assert sql(HISTORY) == before


READS = """
    select coalesce(sum(seq_scan), 0)::int as scans, coalesce(sum(idx_scan), 0)::int as by_index
    from pg_stat_xact_user_tables where relname like 'volume_record_%'
"""


@pytest.mark.parametrize("captures", [1, 2])
def test_the_check_that_versions_do_not_overlap_reads_by_index(captures: int, environment: dict[str, str]) -> None:
    """It runs at each commit, and would read the whole quarter."""
    for number in range(captures):
        text = api_text([{"totalWeeklyShareQuantity": 10 + number}], T1)
        drive(observe(text, T1, NOON + timedelta(days=number), "all"))
    with resources.database().transaction() as transaction:
        connection = transaction.connection
        connection.execute("set constraints all immediate")
        before = connection.execute(READS.encode()).fetchall()[0]
        connection.execute("update otc.capture set normalized_key = normalized_key")
        after = connection.execute(READS.encode()).fetchall()[0]
    assert after["scans"] == before["scans"]
    assert after["by_index"] > before["by_index"]
