from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from tests.metrics import reference
from tests.metrics.conftest import World
from tests.metrics.examples import WEEK, WORLDS, ats, de_minimis, firm, matching, only, told
from tests.metrics.load import ordered
from tests.metrics.records import Row

EXAMPLES = told(
    [
        ats("HALF", 1, trade_count=2_000_000),
        ats("IDLE", 5, trade_count=0),
        ats("SPLIT", 10, product_type="UTP", notional=Decimal("2.5")),
        ats("SPLIT", 20, product_type="CTS", notional=Decimal("0.000001")),
        ats("SPLIT", 30, issue_name="Another Inc", notional=Decimal(1)),
        firm("SPLIT", 40),
        de_minimis("UNNAMED", 7, crd=0),
        de_minimis("OTHER", 7),
        ats("BOTH", 1),
        ats("BOTH", 2, tier="T2"),
        firm("BOTH", 4, tier="T2"),
        ats(None, 100),
        ats("Case", 1),
        ats("CASE", 2),
        ats("CASE", 8, week_ending=date(2025, 11, 28)),
        ats("NOTHING", 0),
        ats("NA", 3),
    ],
    {(ats("", 0).week_ending, "T2"): "ats"},
)


@pytest.fixture(scope="module")
def rows(loaded: Callable[..., World]) -> list[Row]:
    return loaded(EXAMPLES).tables["symbol_summary"]


@pytest.mark.parametrize("name", WORLDS)
def test_the_table_is_the_reference_row_for_row(world: Callable[..., World], name: int | str) -> None:
    history, tables, known = world(name)
    assert tables["symbol_summary"] == ordered(reference.symbol_summary(history.records, history.loaded))
    assert known["symbol_summary"] == tables["symbol_summary"]


def test_a_half_is_rounded_away_from_zero(rows: list[Row]) -> None:
    assert only(rows, symbol="HALF", scope="ATS")["avg_trade_size"] == Decimal("0.000001")


def test_without_trades_there_is_no_average_trade_size(rows: list[Row]) -> None:
    assert only(rows, symbol="IDLE", scope="ALL")["avg_trade_size"] is None


def test_products_and_issues_of_a_venue_are_one_venue(rows: list[Row]) -> None:
    row = only(rows, symbol="SPLIT", scope="ATS")
    assert (row["total_volume"], row["total_trades"], row["venue_count"]) == (60, 3, 1)
    assert row["total_notional"] == Decimal("3.500001")


def test_a_record_without_notional_leaves_the_total_without(rows: list[Row]) -> None:
    assert only(rows, symbol="SPLIT", scope="ALL")["total_notional"] is None


@pytest.mark.parametrize("symbol", ["UNNAMED", "OTHER"])
def test_the_unnamed_firms_are_volume_of_no_venue(rows: list[Row], symbol: str) -> None:
    row = only(rows, symbol=symbol, scope="NON_ATS")
    assert (row["total_volume"], row["venue_count"]) == (7, 0)


def test_a_file_gives_only_the_ats_volume_of_its_tier(rows: list[Row]) -> None:
    assert [row["scope"] for row in matching(rows, symbol="BOTH", tier="T2")] == ["ATS"]
    assert [row["scope"] for row in matching(rows, symbol="BOTH", tier="T1")] == ["ALL", "ATS"]


def test_a_row_without_symbol_is_in_no_symbol_s_numbers(rows: list[Row]) -> None:
    assert {row["symbol"] for row in rows} == {record.symbol for record in EXAMPLES.records} - {None}


def test_symbols_that_differ_in_case_are_two(rows: list[Row]) -> None:
    assert only(rows, symbol="Case", scope="ATS")["total_volume"] == 1
    assert only(rows, symbol="CASE", scope="ATS", week_ending=WEEK)["total_volume"] == 2


def test_the_ats_fraction_is_of_all_volume_and_in_the_same_row(rows: list[Row]) -> None:
    fractions = {row["scope"]: row["ats_fraction"] for row in matching(rows, symbol="SPLIT")}
    assert fractions == {"ALL": Decimal("0.6"), "ATS": None, "NON_ATS": None}
    assert only(rows, symbol="UNNAMED", scope="ALL")["ats_fraction"] == 0
    assert only(rows, symbol="NOTHING", scope="ALL")["ats_fraction"] is None


def test_volume_is_shared_among_the_days_on_which_the_exchange_was_open(rows: list[Row]) -> None:
    """Five of them, and four in the week of Thanksgiving."""
    assert [row["volume_per_day"] for row in matching(rows, symbol="CASE", scope="ATS")] == [Decimal("0.4"), 2]
