"""What verify finds, and that it reports nothing for sound data, however that was loaded."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from otcpipe import resources
from otcpipe.audit.verdict import Verdict
from otcpipe.audit.verify import verify
from otcpipe.cli import app
from otcpipe.metrics import definitions
from otcpipe.pipeline import definition, ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Manifest, Partition
from otcpipe.stack import Supervisor
from otcpipe.stages import versions
from otcpipe.storage import gz, keys, objects, observations
from otcpipe.storage import sql as statements
from tests.conftest import place
from tests.support.pipeline import NOON, WEEK, api_text, drive, file_text, functions, observe

Row = tuple[Any, ...]
T1, T2, OTCE = (Partition(WEEK, tier) for tier in ("T1", "T2", "OTCE"))
NEXT = Partition(WEEK + timedelta(days=7), "OTCE")
DAY = timedelta(days=1)
TABLES = (
    "otc.capture",
    "otc_internal.name",
    "otc_internal.volume_record",
    "otc.reject",
    "otc.stage_run",
    "otc_internal.metric_due",
    *(f"otc.{metric}" for metric in statements.metric_files()),
)
FIRM = {"summaryTypeCode": "OTC_W_SMBL_FIRM", "MPID": "", "firmCRDNumber": 7, "marketParticipantName": "Seven LLC"}
TOTAL = {"summaryTypeCode": "ATS_W_SMBL", "MPID": "", "marketParticipantName": "", "productTypeCode": ""}


def sql(text: str, *values: object) -> list[Row]:
    with psycopg.connect(os.environ["OTCPIPE_DATABASE_URL"], autocommit=True) as connection:
        cursor = connection.execute(text.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def answer(partition: Partition, rows: list[dict[str, object]], at: datetime) -> Run:
    """The observation of an answer of the API, as fetch stores it."""
    content = api_text(rows, partition)
    manifest = Manifest("api", "all", keys.sha256(content), at, len(rows), 2, ("one", "two"))
    prefix = resources.settings()["S3_PREFIX"]
    run = Run(
        definition.named("cache"),
        observations.store_observation(resources.store(), prefix, partition, content, manifest, str(at)),
    )
    ledger.request(resources.database(), run)
    return run


def load() -> None:
    """Two weeks, loaded in every possible way."""
    rows: list[dict[str, object]] = [
        {},
        {"MPID": "BBBB", "productTypeCode": "CTS"},
        {"issueSymbolIdentifier": "", "issueName": ""},
        {"issueSymbolIdentifier": "QTY", "totalWeeklyShareQuantity": "1.1234567"},
        FIRM,
        TOTAL | {"totalWeeklyShareQuantity": 200, "totalWeeklyTradeCount": 20},
        TOTAL | {"totalWeeklyShareQuantity": 7, "issueSymbolIdentifier": "XYZ"},
    ]
    restated = [rows[0] | {"totalWeeklyShareQuantity": 150}, *rows[1:4]]
    for day, content in enumerate((rows, restated, rows)):  # A, B, A
        drive(answer(T1, content, NOON + day * DAY))
    after = file_text([("ABC", "AAAA", 170, 10), ("NEW", "AAAA", 1, 1)], "T1").replace(b"ABC Inc", b"Abc Inc")
    drive(observe(after, T1, NOON + 5 * DAY))
    before = file_text([("ABC", "AAAA", 100, 10), ("GONE", "BBBB", 5, 1)], "T2").replace(b"ABC Inc", b"Abc Inc")
    drive(observe(before, T2, NOON), answer(T2, rows[:3] + rows[4:5], NOON + DAY))
    for day in (2, 0, 1):
        drive(
            observe(file_text([("A", "AAAA", day + 1, 1), ("B", "BBBB", 2, 1)]) + b"broken\n", OTCE, NOON + day * DAY)
        )
    drive(observe(file_text([("A", "AAAA", 3, 1), ("B", "BBBB", 5, 1)]), NEXT))


def number_by_arrival() -> None:
    """Number the captures from 1 on, as older releases did: such a database goes on with its numbers."""
    numbered = "select capture_id, row_number() over (order by persisted_at) as place from otc.capture"
    sql(f"create table number as {numbered}")
    for table, column in (
        ("otc_internal.volume_record", "opened_by"),
        ("otc_internal.volume_record", "closed_by"),
        ("otc.stage_run", "generation"),
        ("otc.stage_run", "output_generation"),
        ("otc.capture_quality", "capture_id"),
        ("otc.capture", "capture_id"),
    ):
        sql(f"update {table} as t set {column} = n.place from number as n where n.capture_id = t.{column}")


@pytest.fixture(scope="module")
def loaded(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with place(servers, tmp_path_factory.mktemp("home")):
        load()
        number_by_arrival()
        sql("create schema saved")
        for table in TABLES:
            sql(f"create table saved.{table.split('.')[1]} as table {table}")
        yield


@pytest.fixture
def world(loaded: None) -> Iterator[None]:
    """The loaded weeks; what a test does to the tables is undone after it."""
    yield
    inserts = [f"insert into {table} overriding system value table saved.{table.split('.')[1]}" for table in TABLES]
    sql(f"truncate {', '.join(TABLES)}; {'; '.join(inserts)}")


def verdicts(week: date | None = WEEK) -> Iterator[Verdict]:
    return verify(resources.database(), resources.store(), resources.settings()["S3_PREFIX"], week)


def notes(week: date) -> list[str]:
    found = list(verdicts(week))
    assert [sentence for one in found for sentence in one.findings] == []
    return [sentence for one in found for sentence in one.notes]


def everything() -> list[Row]:
    tables = " union all ".join(f"select '{table}', t::text, t.xmin::text from {table} t" for table in TABLES)
    return sql(f"{tables} order by 1, 2")


def stored(kind: str, partition: Partition = NEXT) -> str:
    prefix = resources.settings()["S3_PREFIX"]
    found = resources.store().keys(f"{prefix}/{kind}/{partition.tier}/{partition.week_ending}/")
    return next(key for key in found if kind != "fetched" or key.endswith(".json"))


def put(key: str, content: bytes, digest: str | None = None) -> None:
    """Overwrite an object, as otcpipe never does; by default with the matching digest."""
    resources.store()._client.put_object(
        bucket_name="otcpipe",
        object_name=key,
        data=io.BytesIO(content),
        length=len(content),
        metadata={"sha256": digest or keys.sha256(content)},
    )


@pytest.fixture
def damage(world: None) -> Iterator[Callable[..., None]]:
    """Change the bytes of an object by a function until the test ends."""
    before: dict[str, bytes] = {}

    def change(key: str, how: Callable[[bytes], bytes | None], digest: str | None = None) -> None:
        before[key] = resources.store().get(key)
        changed = how(before[key])
        resources.store().discard(key)
        if changed is not None:
            put(key, changed, digest)

    yield change
    for key, content in before.items():
        put(key, content)


def flipped(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


def test_weeks_that_are_well_are_passed_over_in_silence_and_nothing_is_changed(world: None) -> None:
    before = everything()
    found = list(verdicts(None))
    assert [(one.week_ending, one.tier) for one in found] == [
        (WEEK, "T1"),
        (WEEK, "T2"),
        (WEEK, "OTCE"),
        (WEEK, None),
        (NEXT.week_ending, "OTCE"),
        (NEXT.week_ending, None),
    ]
    assert [sentence for one in found for sentence in (*one.findings, *one.notes)] == []
    assert found[0].compared == {"captures": 4, "records": 3, "revisions": 9}
    assert found[3].compared == {"metrics": sum(not one.is_deferred for one in definitions.metrics())}
    assert everything() == before
    assert (
        sql("select count(*) from otc_internal.symbol_sum")
        == sql("select count(*) from otc_internal.venue_sum")
        == [(0,)]
    )


DAMAGES: dict[str, tuple[str, str | None, list[str]]] = {
    "a record's volume": (
        "update otc_internal.volume_record set share_volume = 171 where share_volume = 170",
        "T1",
        ["The record of ABC at AAAA that capture 4 opened has share_volume 171.000000, by the raw bytes 170.000000"],
    ),
    "a record's issue": (
        "update otc_internal.volume_record set issue_name_id = null where symbol = 'NEW'",
        "T1",
        ["at AAAA that capture 4 opened follows from the raw bytes but", "is in the table but does not follow from"],
    ),
    "a record that is gone": (
        "delete from otc_internal.volume_record where symbol = 'B' and week_ending = '2025-11-14'",
        "OTCE",
        ["The record of B at BBBB that capture 8 opened follows from the raw bytes but is not in the table."],
    ),
    "a record too many": (
        """insert into otc_internal.volume_record
        select (jsonb_populate_record(r, '{"closed_by": 6}')).*
        from otc_internal.volume_record as r where closed_by = 9""",
        "OTCE",
        ["The record of A at AAAA that capture 8 opened is in the table but does not follow from the raw bytes."],
    ),
    "who ended a revision": (
        "update otc_internal.volume_record set closed_by = 6 where closed_by = 9",
        "OTCE",
        ["The record of A at AAAA that capture 8 opened has closed_by 6, by the raw bytes 9."],
    ),
    "who brought a record": (
        "update otc_internal.volume_record set opened_by = 3 where opened_by = 4 and symbol = 'NEW'",
        "T1",
        ["NEW at AAAA that capture 3 opened is in the table", "NEW at AAAA that capture 4 opened follows from"],
    ),
    "a revision revived": (
        "update otc_internal.volume_record set closed_by = null where symbol = 'GONE'",
        "T2",
        ["The record of GONE at BBBB that capture 5 opened has closed_by nothing, by the raw bytes 6."],
    ),
    "a metric's value": (
        "update otc.symbol_concentration set hhi = hhi + 0.01 where symbol = 'A'",
        None,
        ["symbol_concentration A ATS has hhi 10000.01, by its records 10000.00."],
    ),
    "a metric's row gone": (
        "delete from otc.venue_share where tier = 'OTCE' and mpid = 'BBBB'",
        None,
        ["venue_share OTCE ATS BBBB BBBB VENUE follows from its records but is not in the table."],
    ),
    "a metric's row too many": (
        """insert into otc.symbol_rolling_avg
        values ('2025-11-14', 'ZZZ', 'ATS', 1, 1, 1, 1, 'up', 1, 1, true)""",
        None,
        ["symbol_rolling_avg ZZZ ATS is in the table but does not follow from its records."],
    ),
    "a metric's null, on which another builds": (
        "update otc.symbol_summary set total_volume = 9, total_notional = 0 where symbol = 'B'",
        None,
        ["symbol_summary OTCE B ATS has total_volume 9.000000, by its records 2.000000; total_notional 0.000000, by"],
    ),
    "a reject that is gone": (
        "delete from otc.reject where tier = 'T1'",
        "T1",
        ["is a reject but not in the table."] * 2,
    ),
    "a reject's reason": (
        "update otc.reject set reason = 'no reason' where line = 4",
        "OTCE",
        ["Line 4 of test/"] * 3,
    ),
    "a reject too many": (
        """insert into otc.reject
        select raw_key, 99, week_ending, tier, reason, text from otc.reject where tier = 'T1'""",
        "T1",
        ["is a reject in the table but not by its raw bytes."] * 2,
    ),
    "counts": (
        "update otc.capture set records = records - 1, rejects = rejects + 1 where capture_id = 6",
        "T2",
        [
            "Capture 6: records is 3 in the table, 4 by its raw bytes.",
            "Capture 6: rejects is 1 in the table, 0 by its raw bytes.",
        ],
    ),
    "what the source announced": (
        "update otc.capture set record_total = 8, rows = 8, totals = 3 where capture_id = 1",
        "T1",
        [
            "Capture 1: record_total is 8 in the table, 7 by its manifest.",
            "Capture 1: rows is 8 in the table, 7 by its raw bytes.",
            "Capture 1: totals is 3 in the table, 2 by its raw bytes.",
            "Capture 1: its source announced 8 rows, its raw bytes have 7.",
        ],
    ),
    "what adds up": (
        "update otc.capture set reconciled = true, unreconciled = '{}' where capture_id = 1",
        "T1",
        ["Capture 1: reconciled is True in the table, False by its raw bytes.", "Capture 1: unreconciled is [] in"],
    ),
    "when it was observed": (
        "update otc.capture set observed_at = observed_at + interval '1s' where capture_id = 6",
        "T2",
        ["Capture 6: observed_at is 2025-12-21 12:00:01+00:00 in the table, 2025-12-21 12:00:00+00:00 by its manif"],
    ),
    "what it covers": (
        "update otc.capture set covers = 'ats' where capture_id = 6",
        "T2",
        [
            "Capture 6: covers is ats in the table, all by its manifest.",
            "at AAAA that capture 5",
            "AAAA that capture 6",
        ],
    ),
    "a key of no version": (
        "update otc.capture set normalized_key = 'no key' where capture_id = 6",
        "T2",
        ["Capture 6: normalized_key is no key in the table, test/"],
    ),
    "a capture that is gone": (
        "delete from otc.capture where capture_id = 6",
        "T2",
        [
            "Capture 6, whose records test/",
            *["The record of ABC at "] * 4,
            "The record of GONE at BBBB",
            "And 1 more like these.",
        ],
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_was_changed_in_the_tables_is_found_and_named(name: str, world: None) -> None:
    statement, tier, expected = DAMAGES[name]
    sql(statement)
    found = next(one for one in verdicts() if one.findings)
    assert found.tier == tier
    assert len(found.findings) == len(expected)
    for sentence, words in zip(found.findings, expected, strict=True):
        assert words in sentence


OBJECTS: dict[str, tuple[str, Callable[[bytes], bytes | None], bool, str]] = {
    "a flipped byte in raw": ("raw", flipped, False, "does not match its SHA-256: the stored bytes changed."),
    "other bytes in raw": ("raw", lambda _: gz.compress(b"other"), True, "does not match the SHA-256 in its key."),
    "broken gzip in raw": (
        "raw",
        lambda content: content[:-20],
        True,
        "cannot be expanded: The gzip data is truncated",
    ),
    "raw that is gone": ("raw", lambda _: None, True, "does not exist."),
    "a flipped byte in parsed": ("parsed", flipped, False, "the stored bytes changed."),
    "a truncated Parquet": ("normalized", lambda content: content[:-20], True, "cannot be read as Parquet."),
    "other rows": ("rejected", lambda _: objects.parquet_bytes(pa.table({})), True, "does not hold the rows of its"),
    "a manifest that is none": ("fetched", lambda _: b"[]", True, "is not a manifest."),
    "another manifest": (
        "fetched",
        lambda content: content.replace(b'"file"', b'"api"'),
        True,
        "Capture 10: source is file in the table, api by its manifest.",
    ),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_that_is_not_what_it_was_is_found_and_named(name: str, damage: Callable[..., None]) -> None:
    kind, how, is_consistent, words = OBJECTS[name]
    key = stored(kind)
    damage(key, how, None if is_consistent else keys.sha256(resources.store().get(key)))
    found = next(one for one in verdicts(NEXT.week_ending) if one.findings)
    (sentence,) = found.findings
    assert words in sentence
    assert key in sentence or "Capture" in sentence


def test_derived_objects_may_be_gone_or_written_by_another_release(damage: Callable[..., None]) -> None:
    def rewritten(content: bytes) -> bytes:
        sink = io.BytesIO()
        pq.write_table(pq.read_table(io.BytesIO(content)), sink, compression="none")
        return sink.getvalue()

    damage(stored("parsed"), lambda _: None)
    damage(stored("rejected"), lambda _: None)
    damage(stored("normalized"), rewritten)
    assert notes(NEXT.week_ending) == []


def test_what_is_not_computed_or_still_processed_or_of_older_code_is_no_finding(
    world: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql("insert into otc_internal.metric_due values ('2025-11-21', 'venue_share')")
    sql("update otc.venue_share set rank = 77")
    run = observe(file_text([("A", "AAAA", 9, 1)]), NEXT, NOON + DAY)
    number = functions()["cache"](run).generation
    assert notes(NEXT.week_ending) == [
        f"Capture {number} is still being processed: see `otcpipe status`.",
        "venue_share is not computed yet.",
    ]
    monkeypatch.setattr(versions, "NORMALIZE", 99)
    assert notes(NEXT.week_ending)[:1] == [
        "Capture 10 was made by older code: `otcpipe reconcile --stale` redoes it.",
    ]


def test_a_capture_that_comes_in_meanwhile_waits_and_a_reader_does_not(world: None) -> None:
    """The stand-in for a slow verification is a transaction that does what it does first."""
    with ThreadPoolExecutor(1) as pool, resources.database().transaction() as slow:
        slow.rows("lock_partition", week_ending=WEEK, tier="OTCE")
        verifying = pool.submit(lambda: list(verdicts()))
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        deadline = monotonic() + 20
        while sql(waiting) != [(1,)]:
            assert monotonic() < deadline
        assert sql("select count(*) from otc.venue_volume where tier = 'T1'") == [(3,)]
        slow.connection.rollback()
        assert [sentence for one in verifying.result() for sentence in one.findings] == []


def test_the_command_ends_with_1_when_something_is_wrong(
    world: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["otcpipe", "verify", *arguments])
        with pytest.raises(SystemExit) as exited:
            app()
        return exited.value.code, *capsys.readouterr()

    assert run("--week", "2025-11-18") == (
        0,
        f"""OTCE 2025-11-21: 1 capture, 2 records, 2 revisions: correct.
all  2025-11-21: {sum(not one.is_deferred for one in definitions.metrics())} metrics: correct.
All of it follows from its raw bytes: 1 partition.
""",
        "",
    )
    assert run("--week", "2025-01-03")[0] == 2
    assert run()[0] == run("--all", "--week", "2025-11-21")[0] == 2
    sql("delete from otc.venue_share")
    code, out, error = run("--week", "2025-11-21", "--json")
    (partition, week) = json.loads(out)
    assert (code, partition["findings"], len(week["findings"])) == (1, [], 2)
    assert error == "otcpipe: 2 findings in 1 partition.\n"
