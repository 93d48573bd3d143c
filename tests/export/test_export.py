"""What is exported equals the tables, was known when it says so, and is complete or absent."""

import csv
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row

import otcpipe
from otcpipe import resources
from otcpipe.cli import export as cli
from otcpipe.errors import Invalid, TooSoon
from otcpipe.export import FORMATS, Request, count, export, tables
from otcpipe.export.formats import escape_formulas
from otcpipe.metrics import catalog, definitions
from otcpipe.metrics.catalog import RECORDS
from otcpipe.records import ATTRIBUTION, Partition
from otcpipe.storage import copy_format
from tests.audit.test_as_of import random_captures, text
from tests.metrics.generate import history
from tests.metrics.load import load
from tests.support.pipeline import NOON, WEEK, drive, file_text, observe

Row = dict[str, Any]
Sql = Callable[..., list[tuple[Any, ...]]]
NEXT = WEEK + timedelta(days=7)
COMPUTED = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"  # what a spreadsheet may take for a formula, at the start of a text
FILLED = [table for table in tables() if definitions.dataset_of(table) is None]  # by captures alone
METRICS = [table for table in FILLED if table != RECORDS]
LONG = ("symbol_split", "symbol_unusual", "concentration_change")  # which need several weeks
STORED = [table for table in FILLED if not catalog.table(table).is_derived]


def ignore(week: date, rows: int) -> None:
    """Ignore the progress."""


def exported(folder: Path, table: str, **more: Any) -> list[Row]:
    """The rows of an export to Parquet, each with its week."""
    export(resources.database(), Request(table, "parquet", folder, **more), ignore)
    rows = []
    name = f"{table}_history" if more.get("is_history") else table
    for path in sorted((folder / name).glob("week_ending=*/[!.]*")):
        week = date.fromisoformat(path.parent.name.removeprefix("week_ending="))
        rows += [{"week_ending": week} | row for row in pq.ParquetFile(path).read().to_pylist()]
    return rows


def stored(query: str, *values: object) -> list[Row]:
    with psycopg.connect(resources.settings()["DATABASE_URL"], row_factory=dict_row) as connection:
        return connection.execute(query.encode(), values).fetchall()


def of_now(table: str) -> str:
    return f"otc.{table}_as_of(null)" if catalog.table(table).is_derived else f"otc.{table}"


def columns_of(relation: str, *values: object) -> list[str]:
    with psycopg.connect(resources.settings()["DATABASE_URL"]) as connection:
        found = connection.execute(f"select * from {relation} limit 0".encode(), values).description or ()
        return [column.name for column in found]


def same(rows: list[Row], names: list[str]) -> list[str]:
    return sorted(str([_plain(row[name]) for name in names]) for row in rows)


def _plain(value: object) -> object:
    """Return values, however a library writes them."""
    if isinstance(value, Decimal):
        return value.normalize()
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def two_weeks() -> None:
    drive(
        observe(file_text([("NA", "AAAA", "10.5", 2), ("=1+1", "BBBB", 30, 3)]), Partition(WEEK, "OTCE")),
        observe(file_text([("NA", "AAAA", 7, 2), ("@SUM", "'BBB", 30, 3)]), Partition(NEXT, "OTCE")),
    )


def test_every_table_equals_its_export(environment: dict[str, str], tmp_path: Path) -> None:
    load(history(1))
    for table in FILLED:
        rows = exported(tmp_path, table)
        relation = of_now(table).removeprefix("otc.")
        names = [name for name in columns_of(f"otc.{relation}") if name != "computed_at"]
        assert same(rows, names) == same(stored(f"select * from otc.{relation}"), names), table
        assert all(row["available_at"] <= NOON for row in rows)


def test_a_row_of_a_metric_is_known_from_its_moment_on(environment: dict[str, str], tmp_path: Path) -> None:
    """At every moment, what says that it was known then is in the answer as of that moment."""
    rng = random.Random(3)
    partitions = [
        Partition(date(2026, 3, 6) + timedelta(days=7 * week), tier) for week in range(3) for tier in ("T1", "T2")
    ]
    captures = {partition: random_captures(rng, partition) for partition in partitions}
    for partition, held in captures.items():
        drive(*[observe(text(partition, capture.rows), partition, capture.at, "all") for capture in held])
    early = 0
    for table in METRICS:
        rows = exported(tmp_path, table)
        names = [name for name in columns_of(of_now(table)) if name != "computed_at"]
        for moment in sorted({row["available_at"] for row in rows}):
            then = set(same(stored(f"select * from otc.{table}_as_of(%s)", moment), names))
            known = set(same([row for row in rows if row["available_at"] <= moment], names))
            assert known <= then, (table, moment)
            early += len(known) < len(rows)
    assert early > len(METRICS)


def test_captures_whose_records_are_not_read_have_the_moments_that_their_records_give(
    environment: dict[str, str], sql: Sql, tmp_path: Path
) -> None:
    """Only those of symbols are read of which a capture noted that they may not be known since their partition is."""
    rng = random.Random(7)
    for number, tier in product(range(4), ("T1", "T2")):
        partition = Partition(WEEK + timedelta(days=7 * number), tier)
        captures = random_captures(rng, partition)[: rng.randint(1, 3)]
        drive(*[observe(text(partition, one.rows), partition, one.at, "all") for one in captures])
    assert {has_late for (has_late,) in sql("select late_symbols <> '{}' from otc.capture")} == {True, False}
    noted = {table: exported(tmp_path / "noted", table) for table in tables()}
    sql("update otc.capture set late_symbols = array(select distinct symbol from otc.version), dated_symbols = null")
    assert {table: exported(tmp_path / "read", table) for table in tables()} == noted
    sql("alter table otc.capture drop column late_symbols")
    sql("delete from otc.migration where name = '0017_late_symbols'")
    assert resources.database().migrate() == ["0017_late_symbols"]
    assert {table: exported(tmp_path / "older", table) for table in tables()} == noted
    sql("update otc.capture set late_symbols = null where tier = 'T1'")  # as a worker older than the column leaves it
    sql("delete from otc.migration where name = '0020_late_symbols_of_all'")
    assert resources.database().migrate() == ["0020_late_symbols_of_all"]
    assert {table: exported(tmp_path / "missing", table) for table in tables()} == noted
    sql("alter table otc.capture drop column dated_symbols")
    sql("delete from otc.migration where name = '0022_dated_symbols'")
    assert resources.database().migrate() == ["0022_dated_symbols"]
    assert {table: exported(tmp_path / "dated", table) for table in tables()} == noted


def test_that_a_symbol_is_untraded_is_known_since_no_row_of_it_is_set_aside(
    environment: dict[str, str], tmp_path: Path
) -> None:
    first, second = [("ABC", "AAAA", 100, 1), ("X", "AAAA", 50, 1)], [("ABC", "AAAA", 100, 1), ("X", "AAAA", "?", 1)]
    later = NOON + timedelta(days=5)
    drive(observe(file_text(first, "T1"), Partition(WEEK, "T1"), NOON))
    drive(observe(file_text(second, "T1"), Partition(NEXT, "T1"), NOON + timedelta(days=1)))
    drive(observe(file_text(second[:1], "T1"), Partition(NEXT, "T1"), later))
    [row] = [
        row
        for row in exported(tmp_path, "symbol_rolling_avg")
        if (row["week_ending"], row["symbol"], row["scope"]) == (NEXT, "X", "ATS")
    ]
    assert (row["current_volume"], row["available_at"]) == (0, later)
    asked = "select * from otc.symbol_rolling_avg_as_of(%s) where symbol = 'X' and week_ending = %s"
    assert [len(stored(asked, later - timedelta(hours=hours), NEXT)) for hours in (1, 0)] == [0, 1]


@pytest.mark.parametrize("metric", ["symbol_summary", "symbol_rolling_avg"])
def test_a_history_without_a_week_that_is_still_to_be_computed_is_refused(
    metric: str, environment: dict[str, str], sql: Sql, tmp_path: Path
) -> None:
    two_weeks()
    before = exported(tmp_path, metric, is_history=True)
    sql("delete from otc_internal.history_week where week_ending = %s and metric = %s", NEXT, metric)
    sql("insert into otc_internal.metric_due values (%s, %s, %s)", NEXT, metric, metric == "symbol_rolling_avg")
    with pytest.raises(TooSoon, match=f"{metric} is still to be computed for the weeks ending {NEXT}, and has"):
        exported(tmp_path, metric, is_history=True)
    with pytest.raises(TooSoon, match="ask for other weeks"):
        otcpipe.read(metric, history=True)
    assert len(otcpipe.read(metric, history=True, last=WEEK))
    sql("delete from otc_internal.metric_due")
    assert exported(tmp_path, metric, is_history=True) == before


def test_an_export_as_of_a_moment_is_what_was_known_then(environment: dict[str, str], tmp_path: Path) -> None:
    rng = random.Random(4)
    held = random_captures(rng, partition := Partition(WEEK, "T1"))
    drive(*[observe(text(partition, capture.rows), partition, capture.at, "all") for capture in held])
    moment = held[0].at
    for table in FILLED:
        rows = exported(tmp_path, table, at=moment)
        arguments = "%s, true" if table == RECORDS else "%s"
        shown = columns_of(f"otc.{table}_as_of({arguments})", moment)
        names = [name for name in shown if name not in ("computed_at", "available_at", "certainty")]
        assert same(rows, names) == same(stored(f"select * from otc.{table}_as_of({arguments})", moment), names)
        assert all(row["available_at"] <= moment for row in rows)


def test_every_history_equals_its_export(environment: dict[str, str], tmp_path: Path) -> None:
    partition = Partition(WEEK, "T1")
    captures = random_captures(random.Random(6), partition)
    drive(*[observe(text(partition, capture.rows), partition, capture.at, "all") for capture in captures])
    for table in STORED:
        rows = exported(tmp_path, table, is_history=True)
        names = columns_of(f"otc.{table}_history")
        assert same(rows, names) == same(stored(f"select * from otc.{table}_history"), names), table
        assert any(row["known_until"] for row in rows) or table in LONG
    with pytest.raises(Invalid, match="a history holds all moments"):
        exported(tmp_path, RECORDS, is_history=True, at=NOON)


def test_a_week_of_a_history_is_joined_with_openings_of_that_week_alone(environment: dict[str, str]) -> None:
    """Those of all weeks took four seconds, where 249 were loaded."""
    two_weeks()
    choice = Request("symbol_summary", "parquet", Path(), is_history=True).choice()
    query = f"explain {choice.query(['symbol']).text()}".encode()
    with (
        resources.database().snapshot() as transaction,
        psycopg.ClientCursor(transaction.connection, row_factory=dict_row) as cursor,
    ):
        plan = [str(*row.values()) for row in cursor.execute(query, choice.values(WEEK, NEXT)).fetchall()]
    scans = [at for at, line in enumerate(plan) if " on history_opening" in line]
    assert scans
    assert all("week_ending = c.week_ending" in "".join(plan[at : at + 4]) for at in scans)


def test_what_was_not_known_yet_is_removed(environment: dict[str, str], tmp_path: Path) -> None:
    two_weeks()
    assert exported(tmp_path, RECORDS)
    assert exported(tmp_path, RECORDS, at=datetime(2025, 1, 1, tzinfo=UTC)) == []


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_export_has_the_same_bytes(form: str, environment: dict[str, str], tmp_path: Path) -> None:
    two_weeks()
    for folder in ("one", "two"):
        for table in tables():
            export(resources.database(), Request(table, form, tmp_path / folder), ignore)
    contents = [_contents(tmp_path / folder) for folder in ("one", "two")]
    assert contents[0] == contents[1]
    assert len(contents[0]) >= 10  # shares need all tiers, splits a jump, and so on


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_that_is_interrupted_changes_no_file(
    form: str, environment: dict[str, str], tmp_path: Path
) -> None:
    two_weeks()
    request = Request(RECORDS, form, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        export(resources.database(), request, _interrupted)
    assert not [name for name in _contents(tmp_path) if not name.endswith(".lock")]
    export(resources.database(), request, ignore)
    before = _contents(tmp_path)
    drive(observe(file_text([("NEW", "AAAA", 1, 1)]), Partition(WEEK, "OTCE"), NOON + timedelta(hours=1)))
    with pytest.raises(KeyboardInterrupt):
        export(resources.database(), request, _interrupted)
    assert _contents(tmp_path) == before
    (tmp_path / RECORDS / f"week_ending={WEEK}" / f".killed.{form}.part").write_bytes(b"half")
    export(resources.database(), request, ignore)
    assert _contents(tmp_path).keys() == before.keys()


def _interrupted(week: date, rows: int) -> None:
    assert rows
    if week == NEXT:
        raise KeyboardInterrupt


def test_two_exports_do_not_write_to_one_directory(environment: dict[str, str], tmp_path: Path) -> None:
    two_weeks()
    request = Request(RECORDS, "parquet", tmp_path)

    def again(week: date, rows: int) -> None:
        with pytest.raises(Invalid, match="Another export"):
            export(resources.database(), request, ignore)

    export(resources.database(), request, again)
    with pytest.raises(Invalid, match="another format"):
        export(resources.database(), Request(RECORDS, "csv", tmp_path), ignore)


def test_csv_hides_formulas_and_loses_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    two_weeks()
    export(resources.database(), Request(RECORDS, "csv", tmp_path), ignore)
    rows = []
    for path in sorted((tmp_path / RECORDS).glob("*/*.csv")):
        with path.open(newline="") as file:
            rows += list(csv.DictReader(file))
        assert ATTRIBUTION in (path.parent / "_README.txt").read_text()
    assert [row["symbol"] for row in rows] == ["'=1+1", "NA", "'@SUM", "NA"]
    assert [row["mpid"] for row in rows] == ["BBBB", "AAAA", "''BBB", "AAAA"]
    assert [Decimal(row["share_volume"]) for row in rows] == [30, Decimal("10.5"), 30, 7]


@given(st.lists(st.none() | st.text(alphabet=f"'{COMPUTED}aé ", max_size=4) | st.text()))
def test_an_escaped_text_can_be_restored(texts: list[str | None]) -> None:
    texts = [text if text is None else text.encode("utf-8", "replace").decode() for text in texts]
    shown = escape_formulas(pa.RecordBatch.from_pydict({"name": pa.array(texts, pa.string())}))["name"].to_pylist()
    assert not [one for one in shown if one and one[0] in COMPUTED]
    assert [one if one is None else one.removeprefix("'") for one in shown] == texts


def test_quantities_are_decimals_and_the_source_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    two_weeks()
    exported(tmp_path, RECORDS)
    file = pq.ParquetFile(tmp_path / RECORDS / f"week_ending={WEEK}" / f"{RECORDS}.parquet")
    assert file.schema_arrow.field("share_volume").type == pa.decimal128(20, 6)
    assert file.schema_arrow.field("available_at").type == pa.timestamp("us", "UTC")
    about = file.schema_arrow.metadata
    assert (about[b"attribution"].decode(), about[b"week_ending"].decode()) == (ATTRIBUTION, str(WEEK))


def test_counting_writes_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    two_weeks()
    for table in tables():
        counted: dict[date, int] = {}
        count(resources.database(), Request(table, "parquet", tmp_path / "no"), counted.__setitem__)
        rows = exported(tmp_path, table)
        assert counted == {week: sum(row["week_ending"] == week for row in rows) for week in (WEEK, NEXT)}
    assert not (tmp_path / "no").exists()


def test_rows_come_in_batches_before_all_are_read() -> None:
    taken = 0

    def lines() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"NA,1.500000\n"

    columns = {"symbol": pa.string(), "shares": copy_format.arrow_type("numeric(20,6)")}
    batches = copy_format.batches(lines(), columns)
    for number in (1, 2):
        assert next(batches)["symbol"][0].as_py() == "NA"
        read_ahead = number + 1  # the lines of the next batch
        assert taken == -(-copy_format.BLOCK_BYTES // len(b"NA,1.500000\n")) * read_ahead


def test_the_command_says_what_it_did(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_weeks()

    def say(*, at: str | None = None, is_dry: bool = False) -> str:
        cli.export(RECORDS, str(WEEK), str(NEXT), "parquet", at, tmp_path / "out", is_dry=is_dry)
        return " ".join(capsys.readouterr().out.split())

    assert say(is_dry=True).startswith("4 rows of venue_volume, 2 weeks ending 2025-11-14 to 2025-11-21: nothing was")
    assert not (tmp_path / "out").exists()
    done = say()
    assert done.startswith("Wrote 4 rows of venue_volume, 2 weeks ending 2025-11-14 to 2025-11-21, to ")
    assert done.endswith(ATTRIBUTION)
    assert say(at="2024-01-01T00:00:00Z") == f"{RECORDS} has no rows in these weeks."


WRONG = {
    "no table": (("capture", None, None, "parquet", None), "choose from venue_volume, "),
    "no format": ((RECORDS, None, None, "xlsx", None), "choose from parquet, csv"),
    "a span that ends before it begins": ((RECORDS, "2025-11-21", "2025-11-14", "csv", None), "is after the week"),
    "a moment without a zone": ((RECORDS, None, None, "csv", "2025-11-21T10:00:00"), "has no time zone"),
    "a moment that is none": ((RECORDS, None, None, "csv", "yesterday"), "is not a time"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_one_clear_sentence(name: str, environment: dict[str, str], tmp_path: Path) -> None:
    arguments, words = WRONG[name]
    with pytest.raises(Invalid, match=words):
        cli.export(*arguments, tmp_path / "out", is_dry=False)
    assert not (tmp_path / "out").exists()
