"""Who gained share, and where: compared with plain Python on generated histories."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from otcpipe import resources
from otcpipe.answers.gained import gained
from otcpipe.answers.venue import first_with_weeks, weeks_of
from otcpipe.answers.venue_profile import find, venue
from otcpipe.errors import Invalid
from otcpipe.metrics import gains
from otcpipe.metrics.gains import Comparison, Market, Venue
from tests.metrics.examples import WEEK, ats, de_minimis, firm, told
from tests.metrics.generate import history
from tests.metrics.load import load
from tests.metrics.records import (
    Record,
    Row,
    groups,
    is_whole,
    of_scope,
    rounded,
    volume,
)

pytestmark = pytest.mark.usefixtures("environment")
NEXT = WEEK + timedelta(days=7)
QUARTER_END, QUARTER_START = date(2025, 9, 26), date(2025, 10, 3)
ALL = 1000


def compared(market: Market, later: list[date], earlier: list[date], one: Venue | None = None) -> list[Row]:
    comparison = Comparison(market, later, earlier)
    with resources.database().transaction() as transaction:
        return gains.by_symbol(transaction, comparison, one, ALL) if one else gains.by_venue(transaction, comparison)


def in_symbol(market: Market, later: list[date], earlier: list[date], symbol: str) -> list[Row]:
    with resources.database().transaction() as transaction:
        return gains.in_symbol(transaction, Comparison(market, later, earlier), symbol)


def reference(records: list[Record], later: date, earlier: date, scope: str, mpid: str) -> Iterator[Row]:
    members = [record for record in of_scope(records, scope) if record.symbol]
    for (symbol,), of_symbol in groups(members, "symbol"):
        sums = [
            (
                volume(r for r in of_symbol if r.week_ending == week and r.mpid == mpid),
                volume(r for r in of_symbol if r.week_ending == week),
            )
            for week in (later, earlier)
        ]
        is_traded = any(record.mpid == mpid and record.week_ending in (later, earlier) for record in of_symbol)
        if is_traded and all(total for _, total in sums):
            (own, total), (own_before, total_before) = sums
            gained = rounded((own / total - own_before / total_before) * total, 6)
            if gained:
                yield {
                    "symbol": symbol,
                    "direction": "gained" if gained > 0 else "lost",
                    "share_pct": rounded(100 * own / total, 4),
                    "share_before_pct": rounded(100 * own_before / total_before, 4),
                    "gained_volume": gained,
                }


@pytest.mark.parametrize("seed", [0, 4])
def test_gains_are_those_of_the_records(seed: int) -> None:
    made = history(seed)
    load(made, seed)
    whole = [week for week in sorted({week for week, _ in made.loaded}) if is_whole(made.loaded, week, "ATS")]
    assert len(whole) > 2
    for earlier, later in pairwise(whole):
        for mpid in ("ATAS", "ATBS"):
            found = compared(Market("ALL_TIERS", "ATS"), [later], [earlier], Venue(mpid, None))
            expected = list(reference(made.records, later, earlier, "ATS", mpid))
            by_symbol = [{name: row[name] for name in expected[0]} for row in found] if expected else found
            assert sorted(by_symbol, key=str) == sorted(expected, key=str)
            in_symbols = [
                {"symbol": row["symbol"]} | one
                for row in expected
                for one in in_symbol(Market("ALL_TIERS", "ATS"), [later], [earlier], row["symbol"])
                if one["mpid"] == mpid
            ]
            names = [name for name in expected[0] if name != "direction"] if expected else []
            assert [[row[name] for name in names] for row in in_symbols] == [
                [row[name] for name in names] for row in expected
            ]


EXAMPLES = told(
    [
        *[ats("ABC", size, mpid, week_ending=QUARTER_END) for mpid, size in {"AAAA": 80, "BBBB": 20}.items()],
        ats("XYZ", 100, "BBBB", week_ending=QUARTER_END),
        firm("ABC", 10, crd=7, week_ending=QUARTER_END),
        ats("ABC", 10, "AAAA", week_ending=QUARTER_START),
        ats("ABC", 30, "BBBB", week_ending=QUARTER_START, venue_name="BBBB RENAMED"),
        ats("XYZ", 10, "AAAA", week_ending=QUARTER_START),
        ats("XYZ", 10, "BBBB", week_ending=QUARTER_START),
        firm("ABC", 5, crd=7, week_ending=QUARTER_START),
        de_minimis("ABC", 5, week_ending=QUARTER_START),
        firm("NEW", 5, crd=7, week_ending=QUARTER_START),
        ats("ABC", 50, "AAAA", week_ending=QUARTER_START + timedelta(days=7)),
        ats(None, 50, "BBBB", week_ending=QUARTER_START + timedelta(days=7)),
    ]
)
T1 = Market("T1", "ATS")


def test_what_is_gained_is_what_is_traded_above_the_former_share() -> None:
    load(EXAMPLES)
    rows = compared(T1, [QUARTER_START], [QUARTER_END], Venue("BBBB", None))
    assert [(row["symbol"], row["direction"]) for row in rows] == [("ABC", "gained"), ("XYZ", "lost")]
    assert (rows[0]["share_change_pts"], rows[0]["share_change_bps"], rows[0]["gained_volume"]) == (55, 5500, 22)
    assert (rows[1]["share_before_pct"], rows[1]["share_pct"], rows[1]["gained_volume"]) == (100, 50, -10)


def test_a_firm_gained_only_where_it_was_named_before_and_after() -> None:
    load(EXAMPLES)
    rows = compared(Market("T1", "NON_ATS"), [QUARTER_START], [QUARTER_END], Venue(None, 7))
    assert [(row["symbol"], row["share_change_pts"]) for row in rows] == [("ABC", -50)]


def test_the_venues_of_a_symbol_are_ranked_by_the_change_of_their_share_of_it() -> None:
    load(EXAMPLES)
    rows = in_symbol(T1, [QUARTER_START], [QUARTER_END], "ABC")
    assert [(row["mpid"], row["share_change_bps"], row["gained_volume"]) for row in rows] == [
        ("BBBB", 5500, 22),
        ("AAAA", -5500, -22),
    ]
    left = in_symbol(T1, [QUARTER_START], [QUARTER_END], "XYZ")
    assert [(row["mpid"], row["share_before_pct"], row["share_pct"]) for row in left] == [
        ("AAAA", 0, 50),
        ("BBBB", 100, 50),
    ]
    firms = in_symbol(Market("T1", "ALL"), [QUARTER_START], [QUARTER_END], "ABC")
    assert {row["firm_crd"] for row in firms if row["mpid"] is None} == {7}
    found = gained(resources.database(), None, QUARTER_START, None, None, ALL, is_quarter=False, symbol="ABC")
    assert found["rows"] == rows
    for text, symbol in (("BBBB", "ABC"), (None, "ABCD")):
        with pytest.raises(Invalid, match="not both|did you mean ABC"):
            gained(resources.database(), text, None, None, None, ALL, is_quarter=False, symbol=symbol)


def test_venues_are_ranked_by_the_change_of_their_share_of_all_volume() -> None:
    load(EXAMPLES)
    later = [QUARTER_START, QUARTER_START + timedelta(days=7)]
    rows = compared(T1, later, [QUARTER_END])
    shares = {row["mpid"]: (row["share_before_pct"], row["share_pct"]) for row in rows}
    assert shares == {"AAAA": (40, Decimal("43.75")), "BBBB": (60, Decimal("56.25"))}
    assert [row["venue_name"] for row in rows] == ["AAAA POOL", "BBBB POOL"]


def test_a_quarter_is_compared_with_the_one_before() -> None:
    load(EXAMPLES)
    found = gained(resources.database(), "bbbb", None, "T1", None, ALL, is_quarter=True)
    assert (found["later"], found["earlier"]) == ([QUARTER_START, QUARTER_START + timedelta(days=7)], [QUARTER_END])
    assert found["market"] == {"tier": "T1", "scope": "ATS"}
    week = gained(resources.database(), "BBBB", QUARTER_START, None, None, ALL, is_quarter=False)
    assert (week["later"], week["earlier"], len(week["rows"])) == ([QUARTER_START], [QUARTER_END], 2)


def test_a_week_before_that_is_not_loaded_is_compared_with_nothing() -> None:
    load(EXAMPLES)
    found = gained(resources.database(), None, QUARTER_END, None, None, ALL, is_quarter=False)
    assert (found["later"], found["earlier"], found["rows"]) == ([QUARTER_END], [], [])


def test_a_venue_has_its_names_weeks_symbols_and_changes() -> None:
    load(EXAMPLES)
    found = venue(resources.database(), "BBBB", QUARTER_START, 4, None, None, 5)
    assert [row["venue_name"] for row in found["names"]] == ["BBBB POOL", "BBBB RENAMED", "BBBB POOL"][:2]
    assert [row["week_ending"] for row in found["weeks"]] == [QUARTER_START, QUARTER_END]
    assert [(row["symbol"], row["of_venue_pct"], row["share_pct"]) for row in found["symbols"]] == [
        ("ABC", 75, 75),
        ("XYZ", 25, 50),
    ]
    assert (found["compared_week"], len(found["changes"])) == (QUARTER_END, 2)
    other = venue(resources.database(), "7", None, 4, None, None, 5)
    assert (other["scope"], other["mpid"], other["firm_crd"], other["weeks"][0]["avg_trade_size"]) == (
        "NON_ATS",
        None,
        7,
        5,
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [("BBBC", "did you mean BBBB"), ("pool", "2 venues have 'pool' in their names: AAAA"), ("8", "otcpipe venues")],
)
def test_an_unknown_venue_names_those_that_are_similar(text: str, hint: str) -> None:
    load(EXAMPLES)
    with resources.database().transaction() as transaction, pytest.raises(Invalid, match=hint):
        find(transaction, text)


@pytest.mark.parametrize("text", ["BBBB", "bbbb", "renamed", "bb RENAMED"])
def test_a_venue_is_found_by_a_part_of_a_name_that_no_other_has(text: str) -> None:
    load(EXAMPLES)
    compared = gained(resources.database(), text, QUARTER_START, None, None, ALL, is_quarter=False)
    assert compared["venue"] == "BBBB"
    assert venue(resources.database(), text, None, 4, None, None, 5)["mpid"] == "BBBB"
    assert weeks_of(resources.database(), text, "T1", "ATS", None, 1)[0]["mpid"] == "BBBB"


@pytest.mark.parametrize("text", ["7", "CRD 7", "crd 7"])
def test_a_firm_is_found_by_its_number(text: str) -> None:
    load(EXAMPLES)
    assert venue(resources.database(), text, None, 4, None, None, 5)["firm_crd"] == 7
    _, used = first_with_weeks(resources.database(), text, "T1", "NON_ATS", 1)
    assert used == {"name": "CRD 7", "tier": "T1", "scope": "NON_ATS"}


def test_the_timeline_has_entries_exits_and_new_names() -> None:
    load(EXAMPLES)
    with resources.database().transaction() as transaction:
        rows = {row["mpid"]: row for row in transaction.rows("venue_timeline", scope="ATS")}
        firms = {row["firm_crd"]: row for row in transaction.rows("venue_timeline", scope="NON_ATS")}
    assert (rows["BBBB"]["former_names"], rows["BBBB"]["weeks"]) == (["BBBB RENAMED"], 3)
    assert (rows["AAAA"]["is_entry"], rows["AAAA"]["is_exit"], rows["AAAA"]["former_names"]) == (False, False, None)
    assert (firms[7]["first_week"], firms[7]["last_week"], firms[7]["is_exit"]) == (QUARTER_END, QUARTER_START, True)
