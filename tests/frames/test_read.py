"""Frames hold what the tables hold; the examples of the docstring and of the README are true."""

import doctest
import os
import subprocess
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal

import pandas as pd
import psycopg
import pytest

import otcpipe
from otcpipe.errors import Invalid, UnknownSymbol
from otcpipe.metrics import catalog, definitions
from otcpipe.records import Partition
from tests.frames.conftest import OTHER, WEEK
from tests.packaging.documents import README, example
from tests.support.pipeline import NOON, drive, file_text, observe


@pytest.mark.parametrize("text", [otcpipe.read.__doc__, README], ids=["docstring", "README"])
def test_the_examples_are_true(text: str) -> None:
    """The docstring's and the README's, whose code ends with a fence."""
    examples = doctest.DocTestParser().get_doctest(text.replace("```", ""), {}, "examples", None, None)
    done = doctest.DocTestRunner().run(examples)
    assert (done.failed, done.attempted > 2) == (0, True)


def test_the_readmes_query_gives_the_rows_that_are_printed_below_it() -> None:
    with psycopg.connect(os.environ["OTCPIPE_DATABASE_URL"]) as connection:
        cursor = connection.execute(example("README.md", "sql").encode())
        found = [
            [column.name for column in cursor.description or []],
            *([str(cell) for cell in row] for row in cursor),
        ]
    printed = example("README.md", "text").splitlines()
    assert [[cell.strip() for cell in line.split("|")] for line in printed] == found


@pytest.mark.parametrize("metric", [metric.name for metric in definitions.metrics()])
def test_a_metrics_frame_is_its_table(metric: str) -> None:
    frame = otcpipe.read(metric, exact=True)
    with psycopg.connect(os.environ["OTCPIPE_DATABASE_URL"]) as connection:
        cursor = connection.execute(f"select * from otc.{metric}".encode())
        names = [column.name for column in cursor.description or []]
        rows = {row[:-1] for row in cursor}
    assert list(frame) == names[:-1]
    found = {tuple(None if pd.isna(cell) else plain(cell) for cell in row) for row in frame.itertuples(index=False)}
    assert found == rows
    assert len(frame) == len(rows)


def plain(cell: object) -> object:
    return cell.date() if isinstance(cell, pd.Timestamp) else cell


def test_quantities_are_decimals_unless_floats_are_requested() -> None:
    exact, quick = (otcpipe.read("symbol_summary", week=WEEK, exact=exact) for exact in (True, False))
    assert exact["total_volume"].sum() == Decimal(1335995901)
    assert quick["total_volume"].dtype == "float64"
    assert quick["total_volume"].sum() == 1335995901
    assert exact["total_trades"].dtype == quick["total_trades"].dtype == "int64"
    assert exact["week_ending"].dtype == "datetime64[us]"


def test_symbols_are_in_their_own_case_and_na_is_one() -> None:
    frame = otcpipe.read("venue_volume", symbols=["NA", "brk.b"])
    assert set(frame["symbol"]) == {"NA", "brk.b"}
    assert set(otcpipe.read("symbol_summary", symbols="BRK.B")["symbol"]) == {"BRK.B"}


def test_as_of_does_not_look_ahead() -> None:
    before, after = (
        otcpipe.read(table, symbols="NA", exact=True, as_of=f"2025-10-{day}T18:00:00Z")
        for table, day in (("symbol_summary", 27), ("symbol_summary", 28))
    )
    assert list(before[before["scope"] == "ALL"]["total_volume"]) == [Decimal("1.5")]
    assert list(after[after["scope"] == "ALL"]["total_volume"]) == [Decimal("2.000001")]
    assert otcpipe.read("venue_volume", as_of="2025-10-27T05:59:59-04:00").empty


def test_strict_leaves_out_what_may_have_been_otherwise() -> None:
    late = Partition(OTHER - timedelta(days=7), "OTCE")
    drive(observe(file_text([("ZZZ", "AAAA", 1, 1)], updated_on="2025-11-20"), late, NOON))
    loose, strict = (
        otcpipe.read("venue_volume", week=late.week_ending, as_of="2025-12-01T00:00:00Z", strict=strict)
        for strict in (False, True)
    )
    assert (list(loose["certainty"]), len(strict)) == (["unknown"], 0)
    assert list(strict) == list(loose)
    assert list(strict.dtypes) == list(loose.dtypes)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"table": "capture"}, "symbol_summary"),
        ({"table": "x; drop table otc.capture"}, "cannot be read"),
        ({"table": "venue_share", "symbols": "ABC"}, "has no column symbol"),
        ({"table": "venue_share", "week": "soon"}, "YYYY-MM-DD"),
        ({"table": "venue_share", "week": pd.NaT}, "YYYY-MM-DD"),
        ({"table": "venue_share", "tier": "T4"}, "T1, T2, OTCE"),
        ({"table": "venue_share", "scope": "BOTH"}, "ATS, NON_ATS, ALL"),
        ({"table": "symbol_concentration", "tier": "T1"}, "has no column tier: leave `tier` out"),
        ({"table": "venue_share", "columns": "share"}, "has no column 'share'"),
        ({"table": "venue_share", "columns": "market_share"}, "did you mean 'market_share_pct'"),
        ({"table": "symbol_summary", "symbols": 5}, "no list of symbols"),
        ({"table": "symbol_summary", "symbols": [5]}, "5 is not text"),
        ({"table": "symbol_summary", "symbols": "A\0"}, "not text"),
        ({"table": "symbol_summary", "symbols": "\ud800"}, "not text"),
        ({"table": "venue_share", "week": WEEK, "first": WEEK}, "Give either"),
        ({"table": "venue_share", "vintages": ["2025-12-01", None]}, "None is no moment"),
        ({"table": "venue_share", "as_of": datetime(2025, 12, 1)}, "zone"),  # noqa: DTZ001 - that is the point
    ],
)
def test_invalid_arguments_are_one_sentence(arguments: dict[str, object], word: str) -> None:
    with pytest.raises(Invalid, match=word):
        otcpipe.read(**arguments)  # type: ignore[call-overload]


def test_an_answer_has_the_rows_and_columns_that_are_asked_for() -> None:
    everything = otcpipe.read("symbol_summary")
    chosen = otcpipe.read("symbol_summary", tier="OTC", scope="ATS", columns=["total_trades", "symbol"])
    wanted = everything[(everything["tier"] == "OTCE") & (everything["scope"] == "ATS")]
    assert list(chosen) == ["total_trades", "symbol"]
    assert chosen["total_trades"].tolist() == wanted["total_trades"].tolist()
    records = otcpipe.read("venue_volume", week=OTHER)
    for scope, number in (("NON_ATS", 0), ("ALL", len(records)), ("ATS", len(records))):
        assert len(otcpipe.read("venue_volume", week=OTHER, scope=scope)) == number
    assert set(otcpipe.read("venue_share", tier="ALL_TIERS")["tier"]) <= {"ALL_TIERS"}


def test_weeks_and_symbols_may_come_from_a_frame() -> None:
    frame = otcpipe.read("symbol_summary", week=pd.Timestamp(WEEK))
    few = frame["symbol"].head(3)
    assert otcpipe.read("symbol_summary", week=frame["week_ending"].max(), symbols=few)["symbol"].tolist() == [*few]


def test_a_date_of_knowledge_is_the_end_of_that_day_in_new_york() -> None:
    days: list[tuple[date | str, list[float]]] = [
        (date(2025, 10, 26), []),
        (date(2025, 10, 27), [1.5]),
        ("2025-10-28", [2.000001]),
    ]
    for day, shares in days:
        frame = otcpipe.read("symbol_summary", symbols="NA", scope="ALL", as_of=day)
        assert frame["total_volume"].tolist() == shares


@pytest.mark.parametrize(
    ("symbols", "words"),
    [
        ("brk-b", "No symbol 'brk-b' is stored: did you mean BRK.B?"),
        (["NA", "TCEHYY"], "No symbol 'TCEHYY' is stored: did you mean TCEHY?"),
        ("0000000", "No symbol '0000000' is stored."),
    ],
)
@pytest.mark.parametrize("table", ["venue_volume", "symbol_summary"])
def test_an_unknown_symbol_warns_with_the_nearest(table: str, symbols: str | list[str], words: str) -> None:
    with pytest.warns(UnknownSymbol) as warned:
        frame = otcpipe.read(table, symbols=symbols)
    assert [str(one.message) for one in warned] == [words]
    assert warned[0].filename == __file__
    assert set(frame["symbol"]) == {"NA"} & set(symbols)


def test_a_known_symbol_without_rows_in_the_weeks_warns_of_nothing() -> None:
    assert otcpipe.read("symbol_summary", symbols="NA", week=WEEK).empty


def test_the_tables_and_columns_that_can_be_read_are_described() -> None:
    tables = otcpipe.tables()
    assert tables["table"].tolist() == [*catalog.tables()]
    assert {metric.name for metric in definitions.metrics()} < {*tables["table"]}
    for table in tables["table"]:
        described = otcpipe.columns(table)
        assert described["column"].tolist() == list(otcpipe.read(table, week=WEEK)), table
        assert described["description"].str.len().min() > 3
    shares = otcpipe.columns("venue_share")
    assert "percent 100 total_volume / volume of the tier and scope" in " ".join(repr(shares).split())
    assert "..." not in repr(shares) + str(shares._repr_html_())


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import sys, otcpipe; print({'pandas', 'pyarrow', 'psycopg'} & set(sys.modules), otcpipe.read.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set() read\n"


def test_an_arrow_table_is_read_without_pandas() -> None:
    program = "import sys, otcpipe; rows = otcpipe.read('symbol_summary', as_arrow=True).num_rows"
    program += "; print(rows > 0, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"
