from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.metrics.conftest import World
from tests.metrics.examples import WEEK, WORLDS, ats, de_minimis, firm, matching, only, told
from tests.metrics.load import ordered
from tests.metrics.records import (
    SCOPES,
    Loaded,
    Record,
    Row,
    Venue,
    by_venue,
    groups,
    matches,
    of_scope,
    rounded,
    trades,
    volume,
)

SEVEN = timedelta(days=7)
NEXT, FOURTH, THIRTEENTH = (WEEK + number * SEVEN for number in (1, 4, 13))
BACK = (1, 4, 13)
Place = tuple[date, str, str]


def reference(records: list[Record], loaded: Loaded) -> Iterator[Row]:
    places = dict(_places(records, loaded))
    for (week, symbol, scope), members in places.items():
        venues = by_venue(members)
        for venue, own in venues.items():
            changes = {back: _change(places, (week, symbol, scope), back, venue) for back in BACK}
            notionals = [record.notional for record in own if record.notional is not None]
            yield {
                "week_ending": week,
                "symbol": symbol,
                "scope": scope,
                "mpid": venue[0],
                "firm_crd": max((record.firm_crd for record in own if record.firm_crd is not None), default=None),
                "venue_name": max((record.venue_name for record in own if record.venue_name), default=None),
                "total_volume": rounded(volume(own), 6),
                "total_trades": trades(own),
                "total_notional": sum(notionals, Decimal(0)) if len(notionals) == len(own) else None,
                "avg_trade_size": rounded(volume(own) / trades(own), 6) if trades(own) else None,
                "share_pct": _share(members, venue),
                "rank": 1 + sum(volume(other) > volume(own) for other in venues.values()),
                **{f"share_change_{back}w_pts": change for back, change in changes.items()},
                **{
                    f"share_change_{back}w_bps": None if change is None else 100 * change
                    for back, change in changes.items()
                },
            }


def _places(records: list[Record], loaded: Loaded) -> Iterator[tuple[Place, list[Record]]]:
    """Where a symbol has volume in a scope that is known."""
    for (week, symbol), of_symbol in groups(records, "week_ending", "symbol"):
        for scope in SCOPES:
            members = of_scope(of_symbol, scope)
            is_known = all(matches(loaded[week, record.tier], scope) for record in of_symbol)
            if symbol is not None and is_known and volume(members):
                yield (week, symbol, scope), members


def _share(members: list[Record], venue: Venue) -> Decimal:
    return rounded(100 * volume(by_venue(members)[venue]) / volume(members), 4)


def _change(places: dict[Place, list[Record]], place: Place, back: int, venue: Venue) -> Decimal | None:
    """An ATS without a record had no share; of other firms that is not known."""
    week, symbol, scope = place
    before = places.get((week - back * SEVEN, symbol, scope))
    if before is None or (venue not in by_venue(before) and venue[0] is None):
        return None
    return _share(places[place], venue) - (_share(before, venue) if venue in by_venue(before) else 0)


EXAMPLES = told(
    [
        *[ats("ABC", size, mpid) for mpid, size in {"AAAA": 60, "BBBB": 30, "CCCC": 10}.items()],
        firm("ABC", 50, crd=1),
        de_minimis("ABC", 50),
        ats("ABC", 30, "AAAA", week_ending=NEXT),
        ats("ABC", 10, "AAAA", week_ending=NEXT, tier="T2"),
        ats("ABC", 60, "DDDD", week_ending=NEXT),
        firm("ABC", 50, crd=2, week_ending=NEXT),
        firm("ABC", 50, crd=1, week_ending=NEXT, venue_name="RENAMED"),
        ats("NEW", 5, week_ending=NEXT),
        ats("ABC", 1, "AAAA", week_ending=FOURTH),
        ats("ABC", 1, "BBBB", week_ending=FOURTH),
        ats("ABC", 1, "AAAA", week_ending=THIRTEENTH),
        ats("NIL", 0),
        ats(None, 7),
    ],
)


@pytest.fixture(scope="module")
def rows(loaded: Callable[..., World]) -> list[Row]:
    return loaded(EXAMPLES).tables["symbol_venue_share"]


@pytest.mark.parametrize("name", WORLDS)
def test_the_function_is_the_reference_row_for_row(world: Callable[..., World], name: int | str) -> None:
    history, tables, known = world(name)
    assert tables["symbol_venue_share"] == ordered(reference(history.records, history.loaded))
    assert known["symbol_venue_share"] == tables["symbol_venue_share"]


def changes(rows: list[Row], back: int, **values: object) -> dict[str | int, Decimal | None]:
    found = matching(rows, symbol="ABC", **values)
    return {row["mpid"] or row["firm_crd"]: row[f"share_change_{back}w_pts"] for row in found}


def test_an_ats_that_comes_had_no_share_before(rows: list[Row]) -> None:
    assert changes(rows, 1, week_ending=NEXT, scope="ATS") == {"AAAA": -20, "DDDD": 60}
    assert only(rows, week_ending=NEXT, symbol="ABC", scope="ATS", mpid="DDDD")["share_change_1w_bps"] == 6000


def test_a_firm_that_comes_may_have_been_too_small_to_be_named(rows: list[Row]) -> None:
    assert changes(rows, 1, week_ending=NEXT, scope="NON_ATS") == {1: 0, 2: None}


def test_shares_change_against_four_and_thirteen_weeks_before(rows: list[Row]) -> None:
    assert changes(rows, 4, week_ending=FOURTH, scope="ATS") == {"AAAA": -10, "BBBB": 20}
    assert changes(rows, 13, week_ending=THIRTEENTH, scope="ATS") == {"AAAA": 40}
    assert changes(rows, 1, week_ending=FOURTH, scope="ATS") == {"AAAA": None, "BBBB": None}


def test_a_symbol_that_was_not_traded_before_has_no_changes(rows: list[Row]) -> None:
    row = only(rows, week_ending=NEXT, symbol="NEW", scope="ATS")
    assert (row["share_pct"], row["rank"], row["share_change_1w_pts"]) == (100, 1, None)


def test_unnamed_firms_and_rows_without_volume_or_symbol_have_no_share(rows: list[Row]) -> None:
    assert {row["symbol"] for row in rows} == {"ABC", "NEW"}
    shares = matching(rows, week_ending=WEEK, symbol="ABC", scope="ALL")
    assert sum(row["share_pct"] for row in shares) == 75
