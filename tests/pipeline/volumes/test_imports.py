"""Imports keep all versions, whatever the order of their arrival, and S3 alone restores them."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

from otcpipe import resources
from otcpipe.pipeline.volumes import imports
from otcpipe.pipeline.volumes.imports import CBOE, CONSOLIDATED, MARKET, SPLITS, Import
from otcpipe.storage.keys import sha256
from tests.metrics.examples import ats, told
from tests.metrics.load import load
from tests.pipeline.volumes.samples import Traded, market_file, split_file, traded, volume_file

MONDAY, FRIDAY = date(2025, 11, 10), date(2025, 11, 14)
Sql = Callable[..., list[tuple[Any, ...]]]
KEYS = {MARKET: "day, participant_code, tape", CONSOLIDATED: "day, symbol, source", SPLITS: "symbol, ex_date"}
VERSIONS = {
    dataset: f"select * from otc_internal.{dataset} order by {keys}, opened_by" for dataset, keys in KEYS.items()
}
SPLIT_FILES = [
    split_file([("A", MONDAY, "4:1", "2025-11-01"), ("A", "2025-06-04", 2), ("B", FRIDAY, 3)]),
    split_file([("A", "2025-06-04", 2, "2025-06-01"), ("C", FRIDAY, "1-for-10", "2025-06-01")]),
    split_file([("A", MONDAY, "4:1", "2025-11-01"), ("C", FRIDAY, "1:10")]),
]


def moment(number: int) -> datetime:
    return datetime(2025, 12, 1, tzinfo=UTC) + timedelta(days=number)


def put(dataset: str, text: str, number: int, source: str = CBOE) -> list[date]:
    """Import a text as observed on a day."""
    one = Import(dataset, source, sha256(text.encode()), moment(number))
    place = resources.store(), resources.settings()["S3_PREFIX"]
    imports.store(*place, one, text.encode())
    return imports.apply(resources.database(), *place, one, imports.read(dataset, source, text.encode())[0])


def restated(rows: list[Traded]) -> list[Traded]:
    """The same days with one number changed and one participant gone."""
    return [rows[0]._replace(shares=(Decimal(7), Decimal(7), Decimal(7))), *rows[2:]]


def files() -> list[str]:
    rows = traded(MONDAY, FRIDAY)
    return [market_file(rows), market_file(restated(rows)), market_file(rows)]


def test_versions_depend_on_the_set_of_imports_only(environment: dict[str, str], sql: Sql) -> None:
    results = []
    for order in permutations(range(3)):
        for name in VERSIONS:
            sql(f"delete from otc_internal.{name}")
        sql("delete from otc.volume_import")
        for number in order:
            put(MARKET, files()[number], number)
            put(CONSOLIDATED, volume_file([("A", MONDAY, number % 2), ("B", FRIDAY, 1)]), number, "S")
            put(SPLITS, SPLIT_FILES[number], number, "S")
        results.append([sql(text) for text in VERSIONS.values()])
    assert all(result == results[0] for result in results)
    assert len(results[0][0]) == 5 * 5 * 3 + 3 + 6  # what the second file changed, and what came back
    assert len(results[0][1]) == 4
    assert len(results[0][2]) == 5  # A came back, which had been withdrawn


def test_the_volume_at_a_moment_is_that_of_the_newest_import(environment: dict[str, str], sql: Sql) -> None:
    first, second, _ = files()
    put(MARKET, first, 0)
    put(MARKET, second, 1)
    shares = "select sum(shares) from otc.market_volume_as_of(%s) where participant_code = 'N' and day = %s"
    before, after = (sql(shares, at, MONDAY) for at in (moment(0), moment(1)))
    assert after == [(21,)]
    assert before != after
    assert sql(shares, None, MONDAY) == after
    assert sql(shares, moment(-1), MONDAY) == [(None,)]


def test_s3_alone_restores_all_versions(environment: dict[str, str], sql: Sql) -> None:
    for number, text in enumerate(files()):
        put(MARKET, text, number)
    put(CONSOLIDATED, volume_file([("A", MONDAY, 1)]), 0, "S")
    for number, text in enumerate(SPLIT_FILES):
        put(SPLITS, text, number)
    stored = [sql(text) for text in (*VERSIONS.values(), "select * from otc.volume_import order by key")]
    for name in (*(f"otc_internal.{name}" for name in VERSIONS), "otc.volume_import"):
        sql(f"delete from {name}")
    warnings: list[str] = []
    place = resources.store(), resources.settings()["S3_PREFIX"]
    imports.restore(resources.database(), *place, warnings.append)
    assert [sql(text) for text in (*VERSIONS.values(), "select * from otc.volume_import order by key")] == stored
    assert imports.restore(resources.database(), *place, warnings.append) == []
    resources.store().discard(
        Import(CONSOLIDATED, "S", sha256(volume_file([("A", MONDAY, 1)]).encode()), moment(0)).content_key(place[1])
    )
    sql("delete from otc_internal.consolidated_volume")
    sql("delete from otc.volume_import where dataset = 'consolidated_volume'")
    imports.restore(resources.database(), *place, warnings.append)
    assert len(warnings) == 1


def test_an_import_computes_the_share_of_loaded_weeks(
    environment: dict[str, str], sql: Sql, otcpipe: Callable[..., Any], tmp_path: Path
) -> None:
    load(told([ats("ABC", 10), ats("ABC", 10, tier="T2")]))
    path = tmp_path / "market_history_2025.csv"
    path.write_text(market_file(traded(MONDAY - timedelta(days=30), FRIDAY)))
    done = otcpipe("import-market", path)
    assert (done.returncode, "Computed market_share of 1 week." in done.stdout) == (0, True), done.stderr
    assert sql("select count(*), min(week_ending) from otc.market_share") == [(5, FRIDAY)]
    again = otcpipe("import-market", path)
    assert (again.returncode, "already imported" in again.stdout) == (0, True)
    path.write_text(path.read_text().replace("NYSE (N)", "NYSE", 1))
    refused = otcpipe("import-market", path)
    assert (refused.returncode, "has no code in parentheses" in refused.stderr) == (2, True)
    future = otcpipe("import-market", path, OTCPIPE_NOW="2025-11-12T12:00:00Z")
    assert future.returncode == 2
    volumes = tmp_path / "volumes.csv"
    volumes.write_text(volume_file([("ABC", MONDAY + timedelta(days=number), 20) for number in range(5)]))
    done = otcpipe("import-volume", volumes, "--source", "S")
    assert done.returncode == 0, done.stderr
    assert sql("select symbol, off_exchange_share_pct, source from otc.off_exchange_share") == [("ABC", 20, "S")]
    shown = otcpipe("show", "ABC")
    assert "Share of all trading:" in shown.stdout
    assert otcpipe("show", "ABC", "--as-of", "2025-12-19").returncode == 0


def test_imported_splits_are_computed_at_once_and_bad_ones_refused(
    environment: dict[str, str], sql: Sql, otcpipe: Callable[..., Any], tmp_path: Path
) -> None:
    before = date(2025, 11, 7)
    load(told([ats("ABC", 10, week_ending=before), ats("ABC", 40)]))
    path = tmp_path / "splits.csv"
    path.write_text(split_file([("ABC", MONDAY, "4:1", "2025-11-01"), ("XYZ", "2020-01-02", "1:10")]))
    done = otcpipe("import-splits", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "splits.csv: 2 splits, ex-dates from 2020-01-02 to 2025-11-10, of user: imported.",
        "No symbol 'XYZ' is stored.",
        "Computed symbol_split and symbol_rolling_avg of 1 week.",
    ]
    (row,) = sql(
        "select trend, split_factor from otc.symbol_rolling_avg where week_ending = %s and scope = 'ALL'", FRIDAY
    )
    assert row == ("stable", 4)
    assert "already imported" in otcpipe("import-splits", path).stdout
    versions = sql(VERSIONS[SPLITS])
    for line, words in {
        "ABC,2025-11-10,0,": "ratio '0' is not new shares",
        "ABC,2025-11-10,2,2030-01-01": "is after the import",
        "ABC,2035-11-10,2,": "at most a year ahead",
    }.items():
        path.write_text(f"symbol,ex_date,ratio,known_from\n{line}\n")
        refused = otcpipe("import-splits", path)
        assert (refused.returncode, words in refused.stderr) == (2, True), refused.stderr
    assert sql(VERSIONS[SPLITS]) == versions
    path.write_text(split_file([("ABC", MONDAY, 1)]))
    assert otcpipe("import-splits", path).returncode == 0
    assert sql("select count(*) from otc.symbol_split") == [(0,)]
