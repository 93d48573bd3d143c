"""Why a concentration changed: the table is the reference, and its parts add up."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from fractions import Fraction

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
    volume,
)

NEXT = WEEK + timedelta(days=7)
PARTS = ("from_entry", "from_exit", "from_reallocation")
Shares = dict[tuple[str, Venue], Fraction]  # of a venue in the volume of all, unnamed firms included


def reference(records: list[Record], loaded: Loaded) -> Iterator[Row]:
    weekly = {key: members for key, members in groups(records, "week_ending", "symbol") if key[1] is not None}
    for (week, symbol), members in weekly.items():
        for scope in SCOPES:
            now = _shares(members, loaded, scope)
            if now is not None:
                before = _shares(weekly.get((week - timedelta(days=7), symbol), []), loaded, scope)
                yield {"week_ending": week, "symbol": symbol, "scope": scope} | _bounds(now) | _change(now, before)


def _shares(members: list[Record], loaded: Loaded, scope: str) -> Shares | None:
    """The shares of named venues; None where the scope is not covered or has no volume."""
    own = of_scope(members, scope)
    if not volume(own) or not all(matches(loaded[one.week_ending, one.tier], scope) for one in members):
        return None
    return {
        (kind, venue): volume(of_venue) / volume(own)
        for (kind,), of_kind in groups(own, "venue_type")
        for venue, of_venue in by_venue(of_kind).items()
    }


def _index(shares: list[Fraction]) -> Fraction:
    return 10_000 * sum((one * one for one in shares), Fraction(0))


def _bounds(now: Shares) -> Row:
    shares = sorted(now.values())
    named = sum(shares, Fraction(0))
    largest = shares.pop() if shares else Fraction(0)
    normalized = None
    if len(now) > 1 and named:
        smallest = Fraction(1, len(now))
        normalized = rounded((_index([*shares, largest]) / named**2 / 10_000 - smallest) / (1 - smallest), 6)
    return {
        "hhi": rounded(_index([*shares, largest]), 2),
        "hhi_normalized": normalized,
        "hhi_upper": rounded(_index([*shares, largest, 1 - named]), 2),
        "hhi_largest": rounded(_index([*shares, largest + 1 - named]), 2),
    }


def _change(now: Shares, before: Shares | None) -> Row:
    if before is None:
        return dict.fromkeys(("hhi_change", *PARTS, "entries", "exits"))
    stayed = now.keys() & before.keys()
    entered = _index([now[one] for one in now.keys() - stayed])
    left = _index([before[one] for one in before.keys() - stayed])
    moved = _index([now[one] for one in stayed]) - _index([before[one] for one in stayed])
    return {
        "hhi_change": rounded(entered - left + moved, 2),
        "from_entry": rounded(entered, 2),
        "from_exit": rounded(-left, 2),
        "from_reallocation": rounded(moved, 2),
        "entries": len(now.keys() - stayed),
        "exits": len(before.keys() - stayed),
    }


EXAMPLES = told(
    [
        *(ats("MOVES", size, mpid) for mpid, size in (("AAAA", 50), ("BBBB", 30), ("CCCC", 20))),
        *(ats("MOVES", size, mpid, week_ending=NEXT) for mpid, size in (("AAAA", 60), ("BBBB", 30), ("DDDD", 10))),
        ats("HIDDEN", 40),
        ats("HIDDEN", 20, "BBBB"),
        de_minimis("HIDDEN", 40),
        ats("RENAMED", 10, venue_name="OLD NAME"),
        ats("RENAMED", 10, venue_name="NEW NAME", week_ending=NEXT),
        ats("BOTH", 10),
        firm("BOTH", 10),
        ats("BOTH", 10, week_ending=NEXT),
    ]
)


@pytest.fixture(scope="module")
def rows(loaded: Callable[..., World]) -> list[Row]:
    return loaded(EXAMPLES).tables["concentration_change"]


@pytest.mark.parametrize("name", WORLDS)
def test_the_table_is_the_reference_row_for_row(world: Callable[..., World], name: int | str) -> None:
    history, tables, known = world(name)
    rows = reference(history.records, history.loaded)
    expected = [{column: row[column] for column in tables["concentration_change"][0]} for row in rows]
    assert tables["concentration_change"] == ordered(expected)
    assert known["concentration_change"] == tables["concentration_change"]


def test_the_change_is_the_sum_of_entry_exit_and_reallocation(rows: list[Row]) -> None:
    row = only(rows, symbol="MOVES", scope="ATS", week_ending=NEXT)
    assert (row["hhi"], row["hhi_change"]) == (4600, 800)
    assert [row[part] for part in PARTS] == [100, -400, 1100]
    assert (row["entries"], row["exits"]) == (1, 1)
    first = only(rows, symbol="MOVES", scope="ATS", week_ending=WEEK)
    assert {first[name] for name in ("hhi_change", *PARTS, "entries", "exits")} == {None}


def test_the_parts_add_up_in_every_row(world: Callable[..., World]) -> None:
    found = [row for row in world(0).tables["concentration_change"] if row["hhi_change"] is not None]
    assert len(found) > 50
    for row in found:
        assert abs(sum(row[part] for part in PARTS) - row["hhi_change"]) <= Fraction(2, 100)


def test_the_bounds_differ_in_what_the_unnamed_volume_is(rows: list[Row]) -> None:
    row = only(rows, symbol="HIDDEN", scope="ALL")
    assert (row["hhi"], row["hhi_upper"], row["hhi_largest"]) == (2000, 3600, 6800)
    assert row["hhi_normalized"] == rounded(Fraction(1, 9), 6)  # of 40 and 20


def test_a_renamed_venue_stays(rows: list[Row]) -> None:
    row = only(rows, symbol="RENAMED", scope="ALL", week_ending=NEXT)
    assert (row["hhi_change"], row["entries"], row["exits"]) == (0, 0, 0)


def test_a_venue_type_without_volume_has_no_row(rows: list[Row]) -> None:
    assert not matching(rows, symbol="BOTH", scope="NON_ATS", week_ending=NEXT)
    assert only(rows, symbol="BOTH", scope="ALL", week_ending=NEXT)["from_exit"] == -2500
