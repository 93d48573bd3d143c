from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from tests.metrics.conftest import World
from tests.metrics.examples import WEEK, WORLDS, ats, de_minimis, firm, matching, only, told
from tests.metrics.load import ordered
from tests.metrics.records import SCOPES, Loaded, Record, Row, groups, matches, of_scope, rounded, volume

FILE_WEEK = WEEK + timedelta(days=7)


def reference(records: list[Record], loaded: Loaded) -> Iterator[Row]:
    for (week, symbol), of_symbol in groups(records, "week_ending", "symbol"):
        for scope in SCOPES:
            members = of_scope(of_symbol, scope)
            is_known = all(matches(loaded[week, record.tier], scope) for record in of_symbol)
            dollars = [record.notional for record in members if record.notional is not None]
            if symbol is not None and is_known and len(dollars) == len(members) and volume(members):
                price = Fraction(sum(dollars, Decimal(0))) / volume(members)
                yield {
                    "week_ending": week,
                    "symbol": symbol,
                    "scope": scope,
                    "average_price": rounded(price, 6),
                }


def priced(record: Record, dollars: object) -> Record:
    return replace(record, notional=Decimal(str(dollars)))


EXAMPLES = told(
    [
        priced(ats("ABC", 100), 1050),
        priced(ats("ABC", 100, tier="T2"), 950),
        priced(firm("ABC", 50), 1500),
        priced(de_minimis("ABC", 50), 500),
        priced(ats("HALF", 2_000_000), 1),
        priced(ats("ZERO", 0), 0),
        priced(ats("PART", 5), 50),
        firm("PART", 5),
        priced(ats("TOLD", 5), 50),
        priced(ats("TOLD", 5, tier="OTCE"), 50),
        priced(ats("MIXED", 5, week_ending=FILE_WEEK), 50),
        ats("MIXED", 5, week_ending=FILE_WEEK, tier="T2"),
    ],
    {(FILE_WEEK, "T2"): "ats"},
)


@pytest.fixture(scope="module")
def rows(loaded: Callable[..., World]) -> list[Row]:
    return loaded(EXAMPLES).tables["average_print_price"]


@pytest.mark.parametrize("name", WORLDS)
def test_the_table_is_the_reference_row_for_row(world: Callable[..., World], name: int | str) -> None:
    history, tables, known = world(name)
    assert tables["average_print_price"] == ordered(reference(history.records, history.loaded))
    assert known["average_print_price"] == tables["average_print_price"]


def test_the_price_is_dollars_a_share_over_all_tiers_and_products(rows: list[Row]) -> None:
    prices = {row["scope"]: row["average_price"] for row in matching(rows, symbol="ABC")}
    assert prices == {"ATS": 10, "NON_ATS": 20, "ALL": Decimal("13.333333")}


def test_a_half_is_rounded_away_from_zero(rows: list[Row]) -> None:
    assert only(rows, symbol="HALF", scope="ATS")["average_price"] == Decimal("0.000001")


def test_shares_without_dollars_and_dollars_without_shares_have_no_price(rows: list[Row]) -> None:
    assert [row["scope"] for row in matching(rows, symbol="PART")] == ["ATS"]
    assert not matching(rows, symbol="ZERO")
    assert not matching(rows, symbol="MIXED")
