from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.metrics import reference
from tests.metrics.conftest import World
from tests.metrics.examples import WEEK, WORLDS, ats, de_minimis, firm, matching, only, told
from tests.metrics.load import ordered
from tests.metrics.records import Record, Row


def sizes(symbol: str, *volumes: object) -> list[Record]:
    return [ats(symbol, volume, f"AT{number:02}") for number, volume in enumerate(volumes)]


EXAMPLES = told(
    [
        *sizes("HALF", 999, 1001),
        *sizes("AT1000", *[1] * 10),
        *sizes("AT1500", 5, 3, 3, 2, 2, 2, 2, 1),
        *sizes("AT1800", 3, 2, 1, 1, 1, 1, 1),
        *sizes("AT2500", 1, 1, 1, 1),
        *sizes("UNDER", "1.000001", 1, 1, 1, "0.000001"),
        *[*sizes("UNSURE", 2, 2, 1, 1), de_minimis("UNSURE", 4)],
        *[*sizes("SURE", 98, 1), de_minimis("SURE", 1)],
        *[*sizes("HIDDEN", "0.000001"), de_minimis("HIDDEN", 99_999_999_999_999)],
        de_minimis("UNNAMED", 3, crd=0),
        *sizes("NOTHING", 0, 0),
        *[*sizes("IDLE", 1, 0), firm("IDLE", 0)],
        *[ats("BOTH", 1, "AAAA"), ats("BOTH", 1, "AAAA", tier="OTCE"), firm("BOTH", 2, tier="OTCE")],
        *[ats("PARTLY", 1), firm("PARTLY", 3), ats("PARTLY", 2, "BBBB", tier="T2")],
        *[ats("SINGLE", 1), firm("SINGLE", 3)],
    ],
    {(WEEK, "T2"): "ats"},
)


@pytest.fixture(scope="module")
def rows(loaded: Callable[..., World]) -> list[Row]:
    return loaded(EXAMPLES).tables["symbol_concentration"]


@pytest.mark.parametrize("name", WORLDS)
def test_the_table_is_the_reference_row_for_row(world: Callable[..., World], name: int | str) -> None:
    history, tables, known = world(name)
    assert tables["symbol_concentration"] == ordered(reference.symbol_concentration(history.records, history.loaded))
    assert known["symbol_concentration"] == tables["symbol_concentration"]


def test_an_index_on_a_half_is_rounded_away_from_zero(rows: list[Row]) -> None:
    row = only(rows, symbol="HALF", scope="ATS")
    assert (row["hhi"], row["top_venue_share_pct"], row["effective_venues"]) == (
        Decimal("5000.01"),
        Decimal("50.05"),
        2,
    )


@pytest.mark.parametrize(
    ("symbol", "level", "level_2023"),
    [
        ("AT1000", "competitive", "moderate"),
        ("AT1500", "moderate", "moderate"),
        ("AT1800", "moderate", "concentrated"),
        ("AT2500", "concentrated", "concentrated"),
    ],
)
def test_a_band_begins_at_its_edge(rows: list[Row], symbol: str, level: str, level_2023: str) -> None:
    row = only(rows, symbol=symbol, scope="ALL")
    assert (row["hhi"], row["concentration_level"], row["concentration_level_2023"]) == (
        int(symbol[2:]),
        level,
        level_2023,
    )


def test_a_level_is_judged_before_rounding(rows: list[Row]) -> None:
    row = only(rows, symbol="UNDER", scope="ATS")
    assert (row["hhi"], row["concentration_level"]) == (2500, "moderate")


def test_a_level_that_hangs_on_unnamed_firms_is_indeterminate(rows: list[Row]) -> None:
    row = only(rows, symbol="UNSURE", scope="ALL")
    assert (row["hhi"], row["hhi_upper"], row["de_minimis_share_pct"]) == (1000, 2600, 40)
    assert row["concentration_level"] == row["concentration_level_2023"] == "indeterminate"
    assert only(rows, symbol="SURE", scope="ALL")["concentration_level"] == "concentrated"


def test_unnamed_firms_are_no_venue_even_alone(rows: list[Row]) -> None:
    row = only(rows, symbol="UNNAMED", scope="NON_ATS")
    assert (row["venue_count"], row["hhi"], row["hhi_upper"], row["effective_venues"]) == (0, 0, 10_000, None)


def test_a_venue_that_is_next_to_nothing_still_has_its_number(rows: list[Row]) -> None:
    row = only(rows, symbol="HIDDEN", scope="ALL")
    assert (row["hhi"], row["effective_venues"]) == (0, 99_999_999_999_999_000_001**2)


def test_where_nothing_was_traded_there_is_no_row(rows: list[Row]) -> None:
    assert matching(rows, symbol="NOTHING") == []
    assert {row["scope"] for row in matching(rows, symbol="IDLE")} == {"ATS", "ALL"}
    assert only(rows, symbol="IDLE", scope="ALL")["venue_count"] == 3


def test_a_venue_on_two_tiers_is_one(rows: list[Row]) -> None:
    row = only(rows, symbol="BOTH", scope="ALL")
    assert (row["venue_count"], row["hhi"], row["top3_share_pct"]) == (2, 5000, 100)


def test_a_symbol_with_a_partly_covered_tier_has_its_ats_scope_only(rows: list[Row]) -> None:
    assert {row["scope"] for row in matching(rows, symbol="PARTLY")} == {"ATS"}
    assert {row["scope"] for row in matching(rows, symbol="SINGLE")} == {"ATS", "NON_ATS", "ALL"}
