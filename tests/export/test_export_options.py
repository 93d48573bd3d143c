"""What the options of an export choose: symbols, columns, floats, one file; and the week in every CSV file."""

import csv
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from otcpipe import resources
from otcpipe.cli import export as cli
from otcpipe.cli import typer_app
from otcpipe.errors import Invalid
from otcpipe.export import Request, export, tables
from otcpipe.metrics.catalog import RECORDS
from tests.export.test_export import NEXT, exported, ignore, two_weeks
from tests.support.pipeline import WEEK


def single(folder: Path, table: str, form: str = "parquet", **more: Any) -> Path:
    """The file of an export to one file."""
    export(resources.database(), Request(table, form, folder, is_single_file=True, **more), ignore)
    return folder / table / f"{table}.{form}"


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_single_file_has_the_rows_of_all_weeks_and_their_week(environment: dict[str, str], tmp_path: Path) -> None:
    two_weeks()
    for table in tables():
        rows = exported(tmp_path / "weeks", table)
        path = single(tmp_path / "single", table)
        assert (pq.ParquetFile(path).read().to_pylist() if path.exists() else []) == rows
    assert (
        pq.ParquetFile(single(tmp_path, RECORDS)).schema_arrow.metadata[b"week_ending"] == b"2025-11-14 to 2025-11-21"
    )
    assert sorted(path.name for path in (tmp_path / RECORDS).iterdir()) == [f"{RECORDS}.parquet"]


def test_one_directory_holds_one_layout(environment: dict[str, str], tmp_path: Path) -> None:
    two_weeks()
    single(tmp_path, RECORDS)
    with pytest.raises(Invalid, match="holds an export of one file of all weeks: choose another directory with -o"):
        export(resources.database(), Request(RECORDS, "parquet", tmp_path), ignore)
    with pytest.raises(Invalid, match="holds files of another format"):
        single(tmp_path, RECORDS, "csv")
    exported(tmp_path / "weeks", RECORDS)
    with pytest.raises(Invalid, match="holds an export of one file a week"):
        single(tmp_path / "weeks", RECORDS)


def test_a_single_file_that_would_be_empty_is_removed(environment: dict[str, str], tmp_path: Path) -> None:
    two_weeks()
    path = single(tmp_path, RECORDS, "csv")
    assert {one.name for one in path.parent.iterdir()} == {path.name, "_README.txt"}
    single(tmp_path, RECORDS, "csv", symbols=["?"])
    assert not path.exists()
    assert not (path.parent / "_README.txt").exists()


def test_a_readme_names_the_symbols_and_the_floats_that_were_asked_for(
    environment: dict[str, str], tmp_path: Path
) -> None:
    two_weeks()
    for folder, more in (("some", {"symbols": ["NA", "=1+1"], "is_float": True}), ("all", {})):
        path = single(tmp_path / folder, RECORDS, "csv", **more)
        text = (path.parent / "_README.txt").read_text()
        assert ("symbols: only NA, =1+1\n" in text, "numbers: float64" in text) == (bool(more), bool(more))


@pytest.mark.parametrize("is_single_file", [False, True])
def test_every_csv_file_begins_with_the_week(
    is_single_file: bool, environment: dict[str, str], tmp_path: Path
) -> None:
    two_weeks()
    for table in (RECORDS, "symbol_summary"):
        export(resources.database(), Request(table, "csv", tmp_path, is_single_file=is_single_file), ignore)
        rows = [row for path in sorted((tmp_path / table).rglob("*.csv")) for row in lines(path)]
        assert {next(iter(row)) for row in rows} == {"week_ending"}
        assert sorted({row["week_ending"] for row in rows}) == [str(WEEK), str(NEXT)]


def test_floats_are_the_nearest_to_the_decimals(environment: dict[str, str], tmp_path: Path) -> None:
    two_weeks()
    for table in tables():
        exact, quick = (exported(tmp_path / name, table, is_float=name == "quick") for name in ("exact", "quick"))
        assert [
            {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}
            for row in exact
        ] == quick
    kinds = pq.ParquetFile(single(tmp_path, "symbol_summary", is_float=True)).schema_arrow.types
    assert pa.float64() in kinds
    assert not [kind for kind in kinds if pa.types.is_decimal(kind)]


def test_symbols_and_columns_are_chosen_and_known_from_the_same_moment(
    environment: dict[str, str], tmp_path: Path
) -> None:
    two_weeks()
    for table in (RECORDS, "symbol_summary", "symbol_rolling_avg"):
        rows = exported(tmp_path / "all", table)
        names = [next(name for name in reversed(rows[0]) if name != "available_at"), "symbol"]
        chosen = exported(tmp_path / "chosen", table, symbols=["NA", "@SUM"], columns=names)
        assert [list(row) for row in chosen] == [["week_ending", *names, "available_at"]] * len(chosen)
        wanted = [row for row in rows if row["symbol"] in ("NA", "@SUM")]
        assert chosen == [{name: row[name] for name in ("week_ending", *names, "available_at")} for row in wanted]
    with pytest.raises(Invalid, match="venue_share has no column symbol"):
        Request("venue_share", "csv", tmp_path, symbols=["NA"])
    with pytest.raises(Invalid, match="did you mean 'total_volume'"):
        Request("venue_share", "csv", tmp_path, columns=["total_volumes"])


@pytest.mark.parametrize("line", [["symbol_summary"], ["--table", "symbol_summary"]])
def test_the_table_is_an_argument_and_the_former_option_works(
    line: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    two_weeks()
    options = ["--format", "CSV", "--single-file", "--floats", "--symbols", "NA,@SUM", "--symbols", "=1+1", "-o"]
    arguments = [
        "export",
        *line,
        *options,
        str(tmp_path),
        "--columns",
        "symbol,total_volume",
        "--as-of",
        "2026-01-31",
    ]
    done = CliRunner().invoke(typer_app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    rows = lines(tmp_path / "symbol_summary" / "symbol_summary.csv")
    assert [(row["week_ending"], row["symbol"], float(row["total_volume"])) for row in rows] == [
        (str(WEEK), "'=1+1", 30.0),
        (str(WEEK), "NA", 10.5),
        (str(NEXT), "'@SUM", 30.0),
        (str(NEXT), "NA", 7.0),
    ]
    assert "--table" not in CliRunner().invoke(typer_app, ["export", "--help"]).stdout


def test_one_week_is_exported_by_its_date(environment: dict[str, str], tmp_path: Path) -> None:
    two_weeks()

    def export(*words: str) -> Any:
        return CliRunner().invoke(typer_app, ["export", "symbol_summary", "-o", str(tmp_path), *words])

    assert export("--week", str(NEXT), "--format", "csv").exit_code == 0
    assert [one.name for one in tmp_path.glob("symbol_summary/*/")] == [f"week_ending={NEXT}"]
    refused = export("--week", str(NEXT), "--from", str(WEEK))
    assert "Give --week for one week, or --from and --to for several." in str(refused.exception)


def test_an_unknown_symbol_is_named_and_stops_an_export_of_nothing_else(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_weeks()
    cli.export(RECORDS, None, None, "csv", None, tmp_path, symbols=["na,NA"], is_dry=True)
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith("No symbol 'na' is stored: did you mean NA? 2 rows of venue_volume, 2 weeks")
    cli.export(RECORDS, None, None, "csv", None, tmp_path, symbols=[" NA , =1+1,"], is_dry=True)
    assert capsys.readouterr().out.startswith("3 rows of venue_volume")
    cli.export("symbol_summary_history", None, None, "csv", None, tmp_path, is_dry=True)
    assert "rows of symbol_summary_history" in capsys.readouterr().out
    with pytest.raises(Invalid, match=r"^No symbol 'na' is stored: did you mean NA\?$"):
        cli.export(RECORDS, None, None, "csv", None, tmp_path, symbols=["na"])
    with pytest.raises(Invalid, match="Name the table to export: venue_volume, "):
        cli.export(None, None, None, "csv", None, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["s3://bucket/lake", "/srv/lake", "./lake", "lake/", "."])
def test_a_place_instead_of_the_last_week_is_answered_with_the_options_for_places(
    place: str, environment: dict[str, str]
) -> None:
    with pytest.raises(Invalid, match=rf"with -o; `otcpipe publish --to {re.escape(place)}`"):
        cli.export("symbol_summary", None, place, "parquet", None, Path("export"))
