"""Reading the history of a table, and several vintages at once."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

import otcpipe
from otcpipe.errors import Invalid
from otcpipe.records import Partition
from tests.audit.test_as_of import Capture, random_captures, text
from tests.support.pipeline import WEEK, drive, observe

Sql = Callable[..., list[tuple[Any, ...]]]
T1 = Partition(WEEK, "T1")
TABLES = ("venue_volume", "symbol_summary", "symbol_rolling_avg")


@pytest.fixture
def captures(environment: dict[str, str]) -> list[Capture]:
    held = random_captures(random.Random(6), T1)
    drive(*[observe(text(T1, capture.rows), T1, capture.at, "all") for capture in held])
    return held


@pytest.mark.parametrize("table", TABLES)
def test_the_history_holds_the_answer_of_each_moment(table: str, captures: list[Capture]) -> None:
    known = otcpipe.read(table, history=True)
    assert otcpipe.read(f"{table}_history").equals(known)
    assert known["known_until"].notna().any()
    for capture in captures:
        at = pd.Timestamp(capture.at)
        then = known[(known["known_from"] <= at) & ~(known["known_until"] <= at)]
        defined = otcpipe.read(table, as_of=capture.at)
        names = [name for name in defined.columns if name != "computed_at"]
        pd.testing.assert_frame_equal(then[names].reset_index(drop=True), defined[names], check_dtype=False)


@pytest.mark.parametrize("table", TABLES)
def test_vintages_are_the_answers_as_of_each_moment(table: str, captures: list[Capture]) -> None:
    moments = [captures[-1].at, captures[0].at, captures[-1].at]
    found = otcpipe.read(table, vintages=moments, symbols=["A", "B"])
    for moment in moments:
        own = found[found["vintage"] == pd.Timestamp(moment)].drop(columns="vintage").reset_index(drop=True)
        pd.testing.assert_frame_equal(own, otcpipe.read(table, as_of=moment, symbols=["A", "B"]))
    assert found["vintage"].nunique() == 2


def test_wrong_moments_are_refused(environment: dict[str, str]) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    several: list[dict[str, Any]] = [
        {"history": True, "as_of": at},
        {"vintages": [at], "as_of": at},
        {"vintages": []},
        {"vintages": at},
    ]
    for wrong in several:
        with pytest.raises(Invalid):
            otcpipe.read("symbol_summary", **wrong)
    assert len(otcpipe.read("symbol_summary", vintages=[at, at - timedelta(days=1)])) == 0
