"""Frames hold what the tables hold; the examples of the docstring and of the README are true."""

import doctest
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pandas as pd
import psycopg
import pytest

import otcpipe
from otcpipe.errors import Invalid
from otcpipe.metrics import definitions
from otcpipe.records import Partition
from otcpipe.stack import Supervisor
from tests.conftest import place
from tests.metrics.conftest import files
from tests.metrics.load import load
from tests.packaging.documents import README, example
from tests.support.pipeline import NOON, api_text, drive, file_text, observe

WEEK = date(2025, 11, 14)
OTHER = date(2025, 10, 3)


@pytest.fixture(scope="module", autouse=True)
def two_real_weeks(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """And a week of the API's, with awkward symbols, that was restated."""
    with place(servers, tmp_path_factory.mktemp("home")):
        load(files())
        for day, shares in enumerate(("1.5", "2.000001")):
            rows = [
                {
                    "issueSymbolIdentifier": symbol,
                    "totalWeeklyShareQuantity": shares,
                    "lastUpdateDate": f"2025-10-{27 + day}",
                }
                | {"initialPublishedDate": "2025-10-27"}
                for symbol in ("NA", "brk.b", "BRK.B")
            ]
            at = datetime(2025, 10, 27 + day, 12, tzinfo=UTC)
            drive(observe(api_text(rows, Partition(OTHER, "T1")), Partition(OTHER, "T1"), at, "all"))
        yield


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
    with psycopg.connect(os.environ["OTCPIPE_DATABASE_URL"]) as connection:
        cursor = connection.execute(f"select * from otc.{metric}".encode())
        names = [column.name for column in cursor.description or []]
        rows = {row[:-1] for row in cursor}
    frame = otcpipe.read(metric, exact=True)
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
        ({"table": "venue_share", "week": WEEK, "first": WEEK}, "Give either"),
        ({"table": "venue_share", "as_of": datetime(2025, 12, 1)}, "zone"),  # noqa: DTZ001 - that is the point
    ],
)
def test_invalid_arguments_are_one_sentence(arguments: dict[str, object], word: str) -> None:
    with pytest.raises(Invalid, match=word):
        otcpipe.read(**arguments)  # type: ignore[call-overload]


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import sys, otcpipe; print({'pandas', 'pyarrow', 'psycopg'} & set(sys.modules), otcpipe.read.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set() read\n"
