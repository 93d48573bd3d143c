from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.metrics import reference
from tests.metrics.conftest import World
from tests.metrics.examples import WORLDS, ats, firm, matching, only, told
from tests.metrics.load import ordered
from tests.metrics.records import Record, Row

WEEKS = [date(2025, 9, 5) + timedelta(days=7 * number) for number in range(8)]
LAST = WEEKS[-1]  # T1 is loaded for all weeks but WEEKS[1], T2 for WEEKS[3:6], the last by a file


def weekly(symbol: str, volumes: dict[int, object], **more: Any) -> list[Record]:
    return [ats(symbol, volume, week_ending=WEEKS[number], **more) for number, volume in volumes.items()]


EXAMPLES = told(
    [
        *weekly("UP10", {6: 9, 7: 11}),
        *weekly("DOWN10", {6: 11, 7: 9}),
        *weekly("UP", {6: 9, 7: "11.000001"}),
        *weekly("DOWN", {6: "11.000001", 7: 9}),
        *weekly("THIRD", {5: 1, 6: 1, 7: 0}),
        *weekly("IDLE", {6: 0, 7: 0}),
        *weekly("OLD", {0: 100, 2: 6, 7: 2}),
        *weekly("GONE", {3: 4, 4: 8}),
        *weekly("MOVED", {3: 4}, tier="T2"),
        *[*weekly("BOTH", {3: 4}), *weekly("BOTH", {3: 4}, tier="T2")],
        *weekly("LEFT", {4: 1}, tier="T2"),
        *weekly("LEFT", {7: 3}),
        *weekly("PARTLY", {4: 7, 5: 4}),
        *weekly("PARTLY", {5: 1}, tier="T2"),
        *[*weekly("OTHER", {4: 7}), firm("OTHER", 2, week_ending=WEEKS[3], tier="T2")],
    ],
    {(week, "T1"): "all" for number, week in enumerate(WEEKS) if number != 1}
    | {(week, "T2"): "all" for week in WEEKS[3:5]}
    | {(WEEKS[5], "T2"): "ats"}
    | {(week, "OTCE"): "all" for week in WEEKS[3:6]},
)


@pytest.fixture(scope="module")
def rows(loaded: Callable[..., World]) -> list[Row]:
    return loaded(EXAMPLES).tables["symbol_rolling_avg"]


@pytest.mark.parametrize("name", WORLDS)
def test_the_table_is_the_reference_row_for_row(world: Callable[..., World], name: int | str) -> None:
    history, tables, known = world(name)
    assert tables["symbol_rolling_avg"] == ordered(reference.symbol_rolling_avg(history.records, history.loaded))
    assert known["symbol_rolling_avg"] == tables["symbol_rolling_avg"]


@pytest.mark.parametrize(
    ("symbol", "trend", "change"),
    [("UP10", "stable", 10), ("DOWN10", "stable", -10), ("UP", "up", 10), ("DOWN", "down", -10)],
)
def test_ten_percent_is_stable_and_a_millionth_of_a_share_more_is_not(
    rows: list[Row], symbol: str, trend: str, change: int
) -> None:
    row = only(rows, symbol=symbol, scope="ATS", week_ending=LAST)
    assert (row["trend"], row["volume_vs_avg_pct"]) == (trend, change)


def test_a_mean_is_rounded_to_millionths(rows: list[Row]) -> None:
    row = only(rows, symbol="THIRD", scope="ALL", week_ending=LAST)
    assert (row["avg_6w_volume"], row["avg_6w_trades"], row["current_volume"]) == (Decimal("0.666667"), 1, 0)


def test_against_a_mean_of_nothing_there_is_no_percentage(rows: list[Row]) -> None:
    row = only(rows, symbol="IDLE", scope="ATS", week_ending=LAST)
    assert (row["volume_vs_avg_pct"], row["trend"]) == (None, "stable")


def test_the_window_is_six_calendar_weeks_and_the_mean_is_over_those_with_records(rows: list[Row]) -> None:
    row = only(rows, symbol="OLD", scope="ATS", week_ending=LAST)
    assert (row["avg_6w_volume"], row["weeks_in_window"], row["volume_vs_avg_pct"]) == (4, 2, -50)


def test_a_symbol_that_was_not_traded_on_its_loaded_tier_is_at_zero(rows: list[Row]) -> None:
    found = {row["week_ending"]: row["current_volume"] for row in matching(rows, symbol="GONE", scope="ALL")}
    assert found == dict(zip(WEEKS[3:], [4, 8, 0, 0, 0], strict=True))


@pytest.mark.parametrize("symbol", ["MOVED", "BOTH"])
def test_a_symbol_whose_tier_is_missing_has_no_row(rows: list[Row], symbol: str) -> None:
    assert {row["week_ending"] for row in matching(rows, symbol=symbol, scope="ATS")} == set(WEEKS[3:6])
    assert {row["week_ending"] for row in matching(rows, symbol=symbol, scope="ALL")} == set(WEEKS[3:5])


def test_a_symbol_with_records_has_a_row_though_a_tier_of_its_window_is_missing(rows: list[Row]) -> None:
    row = only(rows, symbol="LEFT", scope="ALL", week_ending=LAST)
    assert (row["current_volume"], row["avg_6w_volume"]) == (3, 2)


def test_a_week_with_a_partly_covered_tier_is_neither_volume_nor_zero(rows: list[Row]) -> None:
    assert only(rows, symbol="PARTLY", scope="ATS", week_ending=WEEKS[5])["current_volume"] == 5
    assert matching(rows, symbol="PARTLY", scope="ALL", week_ending=WEEKS[5]) == []


def test_a_tier_known_from_another_scope_must_be_loaded_too(rows: list[Row]) -> None:
    """The symbol is traded there: that its ATS volume there is 0 cannot be known."""
    assert {row["week_ending"] for row in matching(rows, symbol="OTHER", scope="ATS")} == {WEEKS[4], WEEKS[5]}


def test_weeks_are_loaded_whose_three_tiers_tell_the_scope(rows: list[Row]) -> None:
    row = only(rows, symbol="GONE", scope="ATS", week_ending=WEEKS[5])
    assert (row["weeks_loaded"], row["is_complete"]) == (3, False)
    assert only(rows, symbol="GONE", scope="ALL", week_ending=WEEKS[5])["weeks_loaded"] == 2
