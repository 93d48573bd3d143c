"""Splits that are inferred from the feed: the table is the reference, and what they make of the other metrics."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics import splits
from tests.metrics.conftest import World
from tests.metrics.examples import WORLDS, ats, matching, only, told
from tests.metrics.generate import History, covered
from tests.metrics.load import ordered
from tests.metrics.records import Loaded, Record, rounded, trading_days

WEEKS = [date(2025, 1, 3) + timedelta(days=7 * number) for number in range(16)]
AT = 10  # the week of the splits
RATIOS = {"TWO": Fraction(2), "THREEHALF": Fraction(3, 2), "FOUR": Fraction(4), "TENTH": Fraction(1, 10)}
Traded = Mapping[int, tuple[object, object]]  # shares a day and price, by the number of the week


def priced(symbol: str, traded: Traded) -> list[Record]:
    rows = []
    for number, (size, price) in traded.items():
        shares = Decimal(str(size)) * trading_days(WEEKS[number])
        dollars = round(shares * Decimal(str(price)), 6)
        rows.append(ats(symbol, shares, week_ending=WEEKS[number], notional=dollars))
    return rows


def split(ratio: Fraction, *, days_before: int = 0) -> Traded:
    """1,000 shares a day at 120 dollars, then a split; `days_before` of five in its week precede it."""
    after = (Decimal(int(1000 * ratio)), Decimal(120) / Decimal(str(float(ratio))))
    old, new = days_before, 5 - days_before
    shares = (old * 1000 + new * after[0]) / 5
    mixed = (shares, (old * 1000 * 120 + new * after[0] * after[1]) / 5 / shares)
    wobble = [Decimal(str(1 + step / 100)) for step in (0, 3, -2, 1, -3)]
    return {
        number: (shares * wobble[number % 5], price)
        for number in range(16)
        for shares, price in [(1000, 120) if number < AT else mixed if number == AT else after]
    }


EXAMPLES = told(
    [
        *(record for name, ratio in RATIOS.items() for record in priced(name, split(ratio))),
        *priced("THURSDAY", split(Fraction(4), days_before=3)),
        *priced("WEDNESDAY", split(Fraction(4), days_before=2)),
        *priced("SURGE", {number: (4000 if number >= AT else 1000, 120) for number in range(16)}),
        *priced(
            "CRASH", {number: (9000 if number == AT else 1000, 60 if number >= AT else 120) for number in range(16)}
        ),
        *priced("SINKS", {number: (1000 * 1.3**number, 120 / 1.3**number) for number in range(16)}),
        *priced("PENNY", {number: (1000, "0.02") if number < AT else (500, "0.04") for number in range(16)}),
    ],
    {(week, "T1"): "all" for week in WEEKS},
)


@pytest.fixture(scope="module")
def found(loaded: Callable[..., World]) -> World:
    return loaded(EXAMPLES)


def splitting(seed: int) -> History:
    """Weeks with splits of many ratios, gaps, files and prices that move by themselves."""
    random = Random(seed)
    loaded: Loaded = {(week, "T1"): "ats" if random.random() < 0.1 else "all" for week in WEEKS}
    records = []
    for symbol in ("A", "B", "C", "D", "E", "F"):
        price, shares = random.choice([0.9, 50.0, 120.0]), random.choice([10.0, 1000.0])
        for week in WEEKS:
            old, old_price, days = shares, price, 0
            if random.random() < 0.25:
                ratio = float(random.choice(splits.RATIOS))
                price, shares, days = price / ratio, shares * ratio, random.choice([0, 0, 2, 3])
            price, shares = price * random.uniform(0.96, 1.04), shares * random.choice([0.9, 1, 1.1])
            size = old * days + shares * (5 - days)
            dollars = old * old_price * days + shares * price * (5 - days)
            if random.random() < 0.95:
                more: dict[str, Any] = {"week_ending": week, "notional": Decimal(f"{dollars:.6f}")}
                records.append(ats(symbol, f"{size:.6f}", **more))
    return covered(records, loaded)


@pytest.mark.parametrize("name", WORLDS)
def test_the_table_is_the_reference_row_for_row(world: Callable[..., World], name: int | str) -> None:
    history, tables, known = world(name)
    assert tables["symbol_split"] == ordered(splits.split_rows(history.records, history.loaded))
    assert known["symbol_split"] == tables["symbol_split"]


@pytest.mark.parametrize("seed", [2, 10])
def test_histories_with_many_splits_are_the_reference_row_for_row(loaded: Callable[..., World], seed: int) -> None:
    history, tables, known = loaded(splitting(seed), seed)
    expected = ordered(splits.split_rows(history.records, history.loaded))
    assert tables["symbol_split"] == known["symbol_split"] == expected
    assert {row["mixed_ratio"] is None for row in expected} == {True, False}
    assert len({row["ratio"] for row in expected}) > 5


@pytest.mark.parametrize("symbol", RATIOS)
def test_a_split_is_found_and_is_neither_unusual_nor_a_trend(found: World, symbol: str) -> None:
    (row,) = matching(found.tables["symbol_split"], symbol=symbol)
    assert (row["week_ending"], Fraction(row["ratio"]), row["source"]) == (WEEKS[AT], RATIOS[symbol], "inferred")
    for row in matching(found.tables["symbol_unusual"], symbol=symbol, scope="ALL"):
        assert row["robust_z_13w"] is None or abs(row["robust_z_13w"]) < 3
        assert row["split_factor"] == (rounded(RATIOS[symbol], 12) if row["week_ending"] >= WEEKS[AT] else None)
    for row in matching(found.tables["symbol_rolling_avg"], symbol=symbol, scope="ALL"):
        if WEEKS[AT] <= row["week_ending"] < WEEKS[15]:  # which has a day less
            assert row["trend"] == "stable"
    published = matching(found.tables["symbol_summary"], symbol=symbol, scope="ALL", week_ending=WEEKS[AT - 1])
    assert round(published[0]["volume_per_day"]) == 970


def test_a_split_within_a_week_is_found_a_week_later_and_that_week_is_compared_by_its_mixture(found: World) -> None:
    (row,) = matching(found.tables["symbol_split"], symbol="THURSDAY")
    assert (row["week_ending"], row["ratio"]) == (WEEKS[AT + 1], 4)
    assert abs(row["mixed_ratio"] - Decimal(20) / 11) < Decimal("0.01")
    later = only(found.tables["symbol_rolling_avg"], symbol="THURSDAY", scope="ALL", week_ending=WEEKS[AT + 1])
    assert later["trend"] == "stable"


def test_a_split_whose_mixture_looks_like_another_counts_once(found: World) -> None:
    """Two days of old shares and three of new ones have a price of 0.36 of the old one, like a split of 3:1."""
    rows = matching(found.tables["symbol_split"], symbol="WEDNESDAY")
    assert [(row["week_ending"], row["ratio"]) for row in rows] == [(WEEKS[AT], 3), (WEEKS[AT + 1], 4)]
    averages = matching(found.tables["symbol_rolling_avg"], symbol="WEDNESDAY", scope="ALL")
    for row in (one for one in averages if WEEKS[AT] <= one["week_ending"] < WEEKS[15]):
        assert (row["week_ending"], row["trend"]) == (row["week_ending"], "stable")
    for row in matching(found.tables["symbol_unusual"], symbol="WEDNESDAY", scope="ALL"):
        factor = {WEEKS[AT]: Decimal(3)}.get(row["week_ending"], Decimal(4))
        assert row["split_factor"] == (rounded(Fraction(factor), 12) if row["week_ending"] >= WEEKS[AT] else None)


def test_a_surge_of_shares_at_an_unchanged_price_is_unusual_and_a_trend(found: World) -> None:
    assert not matching(found.tables["symbol_split"], symbol="SURGE")
    row = only(found.tables["symbol_unusual"], symbol="SURGE", scope="ALL", week_ending=WEEKS[AT])
    assert (row["ratio_13w"], row["percentile_13w"], row["split_factor"]) == (4, 100, None)
    average = only(found.tables["symbol_rolling_avg"], symbol="SURGE", scope="ALL", week_ending=WEEKS[AT])
    assert average["trend"] == "up"


@pytest.mark.parametrize("symbol", ["CRASH", "SINKS", "PENNY"])
def test_prices_that_move_by_themselves_are_no_split(found: World, symbol: str) -> None:
    assert not matching(found.tables["symbol_split"], symbol=symbol)


@given(ratio=st.sampled_from(splits.RATIOS), price=st.integers(100, 10**6), size=st.integers(10**3, 10**6))
def test_every_usual_ratio_is_recognized_at_any_price(ratio: Fraction, price: int, size: int) -> None:
    dollars = Decimal(price * size * 5)
    old, new = Decimal(size * 5), rounded(size * 5 * ratio, 6)
    weeks = [(WEEKS[2], old), (WEEKS[3], old), (WEEKS[4], new)]
    records = [ats("A", shares, week_ending=week, notional=dollars) for week, shares in weeks]
    per_day = {week: dollars / trading_days(week) for week, _ in weeks}
    assert max(per_day.values()) < 2 * min(per_day.values())
    (row,) = splits.split_rows(records, {(week, "T1"): "all" for week, _ in weeks})
    assert (row["week_ending"], row["ratio"]) == (WEEKS[4], rounded(ratio, 12))
