"""The examples in the document of exports join a history, and see nothing before its time."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from otcpipe.records import Partition
from otcpipe.weeks import due_at, published_on
from tests.audit.test_as_of import text
from tests.export.test_export import exported, stored
from tests.packaging.documents import example
from tests.support.pipeline import drive, observe

DOCUMENT = "otcpipe/export/README.md"
TABLE = "symbol_rolling_avg"
WEEKS = [Partition(date(2026, 3, 6) + timedelta(days=7 * number), "T1") for number in range(3)]
SHARES = (100, 200, 300)


def in_pandas(decisions: pd.DataFrame) -> pd.DataFrame:
    names: dict[str, Any] = {"decisions": decisions}
    exec(example(DOCUMENT, "python", "import pandas"), names)
    joined = names["joined"]
    assert isinstance(joined, pd.DataFrame)
    return joined


def in_polars(decisions: pd.DataFrame) -> pd.DataFrame:
    names: dict[str, Any] = {"decisions": pl.from_pandas(decisions)}
    exec(example(DOCUMENT, "python", "import polars"), names)
    joined = names["joined"].to_arrow().to_pandas()
    assert isinstance(joined, pd.DataFrame)
    return joined


def in_duckdb(decisions: pd.DataFrame) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.register("decisions", decisions)
        return connection.sql(example(DOCUMENT, "sql")).to_arrow_table().to_pandas()


@pytest.fixture
def restated(environment: dict[str, str]) -> dict[datetime, int | None]:
    """Three weeks, the newest restated once, then the one before; what a decision at a moment may know."""
    for partition, shares in zip(WEEKS, SHARES, strict=True):
        drive(observed(partition, shares, due_at(partition.week_ending, "T1") + timedelta(hours=1)))
    second, third = (due_at(one.week_ending, "T1") for one in WEEKS[1:])
    drive(
        observed(WEEKS[2], 999, third + timedelta(days=2)),
        observed(WEEKS[1], 555, third + timedelta(days=5)),
    )
    return {
        due_at(WEEKS[0].week_ending, "T1") - timedelta(hours=1): None,
        second - timedelta(minutes=1): 100,
        second + timedelta(days=1): 200,  # which is not what the week says now
        third + timedelta(days=1): 300,
        third + timedelta(days=6): 999,  # and not 555, of an older week that was restated later
    }


def observed(partition: Partition, shares: int, at: datetime) -> Any:
    published = published_on(partition.week_ending, partition.tier)
    return observe(text(partition, {("SPY", "AAAA"): (shares, published)}), partition, at, "all")


@pytest.mark.parametrize("read", [in_pandas, in_polars, in_duckdb])
def test_the_example_does_not_look_ahead(
    read: Any, restated: dict[datetime, int | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exported(tmp_path / "export", TABLE, is_history=True)
    times = pd.to_datetime(pd.Series(list(restated)), utc=True).dt.as_unit("us")
    joined = read(pd.DataFrame({"symbol": "SPY", "at": times}))
    volumes = [None if pd.isna(value) else int(value) for value in joined["current_volume"]]
    assert volumes == list(restated.values())
    for moment, week, volume in zip(restated, joined["week_ending"], volumes, strict=True):
        then = stored(
            f"select week_ending, current_volume::int from otc.{TABLE}_as_of(%s) where scope = 'ATS'", moment
        )
        assert volume is None or {"week_ending": pd.Timestamp(week).date(), "current_volume": volume} in then


@pytest.mark.parametrize("read", [in_pandas, in_polars, in_duckdb])
@pytest.mark.usefixtures("environment")
def test_of_weeks_that_are_known_since_one_moment_the_example_takes_the_newest(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = due_at(WEEKS[-1].week_ending, "T1") + timedelta(days=2)
    for partition, shares in zip(WEEKS, SHARES, strict=True):  # updated after the publication: known when observed
        drive(observe(text(partition, {("SPY", "AAAA"): (shares, at.date())}), partition, at, "all"))
    monkeypatch.chdir(tmp_path)
    exported(tmp_path / "export", TABLE, is_history=True)
    times = pd.to_datetime(pd.Series([at - timedelta(hours=1), at, at + timedelta(days=9)]), utc=True).dt.as_unit(
        "us"
    )
    joined = read(pd.DataFrame({"symbol": "SPY", "at": times}))
    assert [None if pd.isna(value) else int(value) for value in joined["current_volume"]] == [None, 300, 300]
