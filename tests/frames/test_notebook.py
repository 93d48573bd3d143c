"""A notebook's work on the default frame, in polars and DuckDB, and in a session that only reads."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import psycopg
import pytest
from pandas.api.types import is_numeric_dtype

import otcpipe
from otcpipe import resources
from otcpipe.errors import OtcpipeError, Unreachable
from otcpipe.export import Request, export
from tests.conftest import changed_environment
from tests.frames.conftest import WEEK

TABLES = otcpipe.tables()["table"].tolist()
EMPTY = {"symbol_split", "market_share", "off_exchange_share"}  # of these weeks
AS_OF = "2025-12-20"
WORK: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pct_change": lambda frame: frame["total_volume"].pct_change(),
    "pct_change of a count": lambda frame: frame["total_trades"].pct_change(),
    "diff": lambda frame: frame[["total_volume", "total_trades"]].diff(),
    "describe": lambda frame: frame.describe()[["total_volume", "total_trades"]],
    "division": lambda frame: frame["total_volume"] / frame["total_trades"],
    "log": lambda frame: np.log1p(frame["total_volume"]),
    "log of several": lambda frame: np.log1p(frame[["total_volume", "total_trades"]]),
    "nlargest": lambda frame: frame.nlargest(5, "total_volume")["total_volume"],
    "quantile": lambda frame: frame["avg_trade_size"].quantile([0.1, 0.5]),
    "corr": lambda frame: frame[["total_volume", "total_trades", "venue_count"]].corr(),
    "rolling": lambda frame: frame.groupby("symbol")["total_volume"].rolling(2).mean(),
    "pivot": lambda frame: frame.pivot_table(index="week_ending", columns="scope", values="total_volume"),
    "resample": lambda frame: frame.set_index("week_ending")["total_volume"].resample("ME").sum(),
    "qcut": lambda frame: pd.qcut(frame["total_volume"], 4).value_counts(),
}


@pytest.mark.parametrize("name", WORK)
def test_work_on_the_default_frame_gives_numbers(name: str) -> None:
    result = WORK[name](otcpipe.read("symbol_summary", week=WEEK))
    assert len(result)
    columns = result.to_frame() if isinstance(result, pd.Series) else result
    assert [kind for kind in columns.dtypes if kind.kind == "O"] == []


def test_numbers_are_an_array_of_floats_and_the_nearest_to_the_decimals() -> None:
    columns = ["total_volume", "total_trades", "volume_per_day"]
    quick, exact = (otcpipe.read("symbol_summary", columns=columns, exact=exact) for exact in (False, True))
    assert quick.to_numpy().dtype == "float64"
    for column in columns:
        assert quick[column].tolist() == [float(value) for value in exact[column]]


@pytest.mark.parametrize("table", TABLES)
def test_polars_and_duckdb_read_the_arrow_table_to_the_last_digit(table: str) -> None:
    rows, frame = otcpipe.read(table, as_arrow=True), otcpipe.read(table, exact=True)
    decimals = [name for name in frame if isinstance(frame[name].dtype, pd.ArrowDtype)]
    quantity = decimals[0] if decimals else next(name for name in frame if is_numeric_dtype(frame[name]))
    total = frame[quantity].sum()
    assert isinstance(total, Decimal) or not decimals
    assert rows.column_names == list(frame)
    assert pl.from_arrow(rows)[quantity].sum() == total
    with duckdb.connect() as connection:
        connection.register("rows_read", rows)
        assert connection.execute(f'select sum("{quantity}") from rows_read').fetchone() == (
            total if len(frame) else None,
        )


def test_polars_shares_the_memory_of_the_arrow_table() -> None:
    trades = otcpipe.read("symbol_summary", week=WEEK, as_arrow=True)["total_trades"].combine_chunks()
    series = pl.from_arrow(trades)
    assert isinstance(series, pl.Series)
    assert series.to_arrow().buffers()[1].address == trades.buffers()[1].address


@pytest.fixture
def reader(two_real_weeks: dict[str, str]) -> Iterator[str]:
    """Sessions of this process allow no change and no temporary table, as on a replica; their URL."""
    url = f"{two_real_weeks['OTCPIPE_DATABASE_URL']}?options=-c%20default_transaction_read_only%3Don"
    with changed_environment({"OTCPIPE_DATABASE_URL": url}):
        yield url


@pytest.fixture
def owners_answers(two_real_weeks: dict[str, str], tmp_path: Path) -> dict[str, Any]:
    return _answers(tmp_path / "owner")


def _answers(folder: Path) -> dict[str, Any]:
    """Every table now and as of a moment, and the bytes of its export."""
    answers: dict[str, Any] = {}
    for table in TABLES:
        for as_of in (None, AS_OF):
            answers[f"{table} {as_of}"] = otcpipe.read(table, as_of=as_of, as_arrow=True).to_pylist()
        export(resources.database(), Request(table, "parquet", folder), lambda week, rows: None)
    return answers | {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def test_a_session_that_can_only_read_gets_the_same_answers(
    owners_answers: dict[str, Any], reader: str, tmp_path: Path
) -> None:
    with psycopg.connect(reader) as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("create temporary table refused ()")
    found = _answers(tmp_path / "reader")
    assert found == owners_answers
    assert {table for table in TABLES if not found[f"{table} None"]} <= EMPTY


def test_a_server_that_is_down_is_one_sentence(two_real_weeks: dict[str, str]) -> None:
    url = two_real_weeks["OTCPIPE_DATABASE_URL"]
    changed = urlsplit(url)._replace(netloc="127.0.0.1:9").geturl()
    with changed_environment({"OTCPIPE_DATABASE_URL": changed}), pytest.raises(Unreachable, match="does not answer"):
        otcpipe.read("symbol_summary")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("set local statement_timeout = 1; select pg_sleep(1)", "stopped the query: .*; ask for fewer weeks"),
        ("select 1 / 0", "refuses the query: division by zero"),
        ("create table otc.t ()", "refuses the query: cannot execute CREATE TABLE in a read-only transaction"),
    ],
)
def test_every_error_of_the_server_is_one_sentence(statement: str, words: str) -> None:
    with pytest.raises(OtcpipeError, match=words), resources.database().snapshot() as transaction:
        transaction.script(statement)


def test_completion_offers_what_notebooks_use() -> None:
    assert {"columns", "read", "tables"} <= set(dir(otcpipe))
