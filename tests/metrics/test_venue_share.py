from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.metrics import reference
from tests.metrics.conftest import World
from tests.metrics.examples import WEEK, WORLDS, ats, de_minimis, firm, matching, only, told
from tests.metrics.load import load, ordered
from tests.metrics.records import Record, Row

NEXT = WEEK + timedelta(days=7)
AFTER_A_GAP = NEXT + timedelta(days=14)
LATER = [WEEK + number * timedelta(days=7) for number in (4, 13)]
UNNUMBERED: dict[str, Any] = {"crd": None, "venue_name": "NO NUMBER"}


def tiers(week_ending: date, *sizes: int) -> list[Record]:
    return [
        ats("X", size, week_ending=week_ending, tier=tier) for size, tier in zip(sizes, ("T2", "OTCE"), strict=False)
    ]


EXAMPLES = told(
    [
        *[ats("ABC", size, mpid) for mpid, size in {"AAAA": 40, "BBBB": 30, "CCCC": 30, "DDDD": 20}.items()],
        firm("ABC", 50, crd=1),
        firm("ABC", 25, **UNNUMBERED),
        de_minimis("ABC", 5, crd=0),
        ats("OLD", 1, "AAAA", product_type="CTS"),
        ats(None, 2, "DDDD"),
        *tiers(WEEK, 2, 3),
        # CCCC rises, EEEE is new, 1 was renamed, BBBB has no volume
        *[
            ats("ABC", size, mpid, week_ending=NEXT)
            for mpid, size in {"AAAA": 3, "CCCC": 9, "EEEE": 1, "BBBB": 0}.items()
        ],
        firm("ABC", 2, crd=1, venue_name="FIRM 1 AND SONS", week_ending=NEXT),
        firm("ABC", 3, crd=1, product_type="CTS", week_ending=NEXT),
        firm("ABC", 20, **UNNUMBERED, week_ending=NEXT),
        firm("OLD", 1, crd=None, venue_name="NOR THIS", week_ending=NEXT),
        *tiers(NEXT, 0, 1),
        ats("ABC", 1, week_ending=AFTER_A_GAP),
        *tiers(AFTER_A_GAP, 1),
        # the shares of two that were 33.3333 and 25 % at first
        *[
            ats("ABC", size, mpid, week_ending=week)
            for week in LATER
            for mpid, size in {"AAAA": 1, "BBBB": 2, "FFFF": 1}.items()
        ],
    ],
    {(NEXT, "T2"): "ats"},
)


@pytest.fixture(scope="module")
def rows(loaded: Callable[..., World]) -> list[Row]:
    return loaded(EXAMPLES).tables["venue_share"]


@pytest.mark.parametrize("name", WORLDS)
def test_the_table_is_the_reference_row_for_row(world: Callable[..., World], name: int | str) -> None:
    history, tables, known = world(name)
    assert tables["venue_share"] == ordered(reference.venue_share(history.records, history.loaded))
    assert known["venue_share"] == tables["venue_share"]


def test_equals_share_a_rank_and_the_next_one_is_left_out(rows: list[Row]) -> None:
    ranks = {row["mpid"]: row["rank"] for row in matching(rows, week_ending=WEEK, tier="T1", scope="ATS")}
    assert ranks == {"AAAA": 1, "BBBB": 2, "CCCC": 2, "DDDD": 4}


def test_shares_are_of_all_volume_and_the_unnamed_firms_have_no_row(rows: list[Row]) -> None:
    found = matching(rows, week_ending=WEEK, tier="T1", scope="NON_ATS")
    shares = {row["venue_name"]: row["market_share_pct"] for row in found}
    assert shares == {"FIRM 1": Decimal("62.5"), "NO NUMBER": Decimal("31.25")}


def test_a_row_without_symbol_counts_for_its_venue(rows: list[Row]) -> None:
    row = only(rows, week_ending=WEEK, tier="T1", scope="ATS", mpid="DDDD")
    assert (row["total_volume"], row["symbol_count"]) == (22, 1)
    assert only(rows, week_ending=WEEK, tier="T1", scope="ATS", mpid="AAAA")["symbol_count"] == 2


def test_a_rank_changes_upwards_by_positive_numbers_and_a_new_venue_s_not_at_all(rows: list[Row]) -> None:
    found = matching(rows, week_ending=NEXT, tier="T1", scope="ATS")
    assert {row["mpid"]: row["rank_change"] for row in found} == {"CCCC": 1, "AAAA": -1, "EEEE": None, "BBBB": -2}


def test_a_firm_with_two_names_in_a_week_is_one_venue(rows: list[Row]) -> None:
    row = only(rows, week_ending=NEXT, tier="T1", scope="NON_ATS", firm_crd=1)
    assert (row["venue_name"], row["total_volume"], row["rank_change"]) == ("FIRM 1 AND SONS", 5, -1)


@pytest.mark.usefixtures("environment")
def test_which_of_two_names_a_venue_has_does_not_depend_on_arrival() -> None:
    load(told([firm("ABC", 1, venue_name="Z")]))
    names = [firm("ABC", 1, tier="T2", venue_name="Z"), firm("ABC", 1, tier="T2", venue_name="A", product_type="CTS")]
    assert only(load(told(names))["venue_share"], tier="T2", scope="ALL")["venue_name"] == "Z"


def test_firms_without_number_are_distinguished_by_name(rows: list[Row]) -> None:
    assert only(rows, week_ending=NEXT, tier="T1", scope="ALL", venue_name="NO NUMBER")["rank_change"] == 4


def test_after_a_week_that_is_not_loaded_no_rank_is_comparable(rows: list[Row]) -> None:
    assert only(rows, week_ending=AFTER_A_GAP, tier="T1", scope="ATS")["rank_change"] is None


def test_shares_change_by_points_against_one_four_and_thirteen_weeks_before(rows: list[Row]) -> None:
    def changes(week: date, mpid: str) -> list[object]:
        row = only(rows, week_ending=week, tier="T1", scope="ATS", mpid=mpid)
        return [row[f"share_change_{back}w_pts"] for back in (1, 4, 13)]

    at_first = only(rows, week_ending=WEEK, tier="T1", scope="ATS", mpid="BBBB")["market_share_pct"]
    assert changes(LATER[0], "BBBB") == [None, 50 - at_first, None]
    assert changes(LATER[1], "BBBB") == [None, None, 50 - at_first]
    assert changes(LATER[0], "FFFF") == [None, None, None]
    assert changes(NEXT, "CCCC")[0] == Decimal("69.2308") - at_first


def test_a_share_of_nothing_is_nothing(rows: list[Row]) -> None:
    assert only(rows, week_ending=NEXT, tier="T2", scope="ATS")["market_share_pct"] == 0


def test_all_tiers_stand_only_where_all_three_are_loaded_and_tell_the_scope(rows: list[Row]) -> None:
    found = {(row["week_ending"], row["scope"]) for row in matching(rows, tier="ALL_TIERS")}
    assert found == {(WEEK, "ATS"), (WEEK, "NON_ATS"), (WEEK, "ALL"), (NEXT, "ATS")}
    assert only(rows, week_ending=WEEK, tier="ALL_TIERS", scope="ATS", mpid="AAAA")["total_volume"] == 46
