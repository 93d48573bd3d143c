"""The splits that plain Python infers from records, and what they make of earlier weeks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from tests.metrics.records import (
    WEEK,
    Loaded,
    Record,
    Row,
    groups,
    matches,
    of_scope,
    rounded,
    trading_days,
    volume,
)

USUAL = [Fraction(3, 2), Fraction(5, 2), *map(Fraction, (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100))]
RATIOS = sorted({Fraction(rounded(one, 12)) for usual in USUAL for one in (usual, 1 / usual)})
NEAR, STEADY = Fraction("1.08"), Fraction("0.25")


@dataclass(frozen=True)
class Week:
    """A symbol's week in a scope: the average price, and the dollars traded on a day at that price."""

    price: Fraction
    dollars: Fraction


Factors = Mapping[date, tuple[Fraction, Fraction]]  # by week of a split: of earlier weeks, and of the week before


def split_rows(records: list[Record], loaded: Loaded) -> Iterator[Row]:
    by_scope = {scope: _weeks(records, loaded, scope) for scope in ("ALL", "ATS", "NON_ATS")}
    for week, symbol in sorted({key for weeks in by_scope.values() for key in weeks}):
        found = (_split(weeks, week, symbol) for weeks in by_scope.values() if (week, symbol) in weeks)
        first = next((row for row in found if row), None)
        if first:
            yield {"week_ending": week, "symbol": symbol} | first | {"source": "inferred"}


def factors(records: list[Record], loaded: Loaded) -> Mapping[str, Factors]:
    """The splits by symbol: what shares of earlier weeks are multiplied by."""
    found: dict[str, dict[date, tuple[Fraction, Fraction]]] = {}
    for row in split_rows(records, loaded):
        mixed = Fraction(row["ratio"] if row["mixed_ratio"] is None else row["mixed_ratio"])
        found.setdefault(row["symbol"], {})[row["week_ending"]] = (Fraction(row["ratio"]), mixed)
    return found


def factor(splits: Factors, earlier: date, week: date) -> Fraction:
    """What shares of an earlier week are multiplied by, to compare them with those of a week."""
    product = Fraction(1)
    for split, (ratio, mixed) in splits.items():
        if earlier < split <= week:
            product *= mixed if earlier == split - WEEK else ratio
    return product


def shown(splits: Factors, week: date, weeks: int) -> Decimal | None:
    """The factor of the first of some weeks before a week; None where no split is among them."""
    first = week - weeks * WEEK
    if not any(first < split <= week for split in splits):
        return None
    return rounded(factor(splits, first, week), 12)


def _weeks(records: list[Record], loaded: Loaded, scope: str) -> dict[tuple[date, str], Week]:
    found = {}
    for (week, symbol), of_symbol in groups(records, "week_ending", "symbol"):
        own = of_scope(of_symbol, scope)
        is_known = symbol is not None and all(matches(loaded[week, one.tier], scope) for one in of_symbol)
        dollars = [one.notional for one in own if one.notional is not None]
        if is_known and len(dollars) == len(own) and volume(own):
            price = Fraction(rounded(Fraction(sum(dollars, Decimal(0))) / volume(own), 6))
            tiers = [Fraction(rounded(volume(on) / trading_days(week), 6)) for _, on in groups(own, "tier")]
            found[week, symbol] = Week(price, price * sum(tiers))
    return found


def _split(weeks: Mapping[tuple[date, str], Week], week: date, symbol: str) -> Row | None:
    now = weeks[week, symbol]
    before, two_before, three_before = (weeks.get((week - back * WEEK, symbol)) for back in (1, 2, 3))
    if before is None or two_before is None or not now.price or not before.price:
        return None
    past = two_before.price
    is_sudden = max(now.price, before.price) > Fraction("1.35") * min(now.price, before.price)
    if is_sudden and abs(past - before.price) <= STEADY * before.price:
        found = _jump(before, now, None)
        if found:
            return found
    prices = [now.price, before.price, past]
    if three_before is None or abs(three_before.price - past) > STEADY * past:
        return None
    if any(a > NEAR * b and b > NEAR * c for a, b, c in (prices, prices[::-1])):
        return _jump(two_before, now, before)
    return None


def _jump(start: Week, now: Week, between: Week | None) -> Row | None:
    if max(start.price, now.price) < 1:
        return None
    near = [one for one in RATIOS if abs(start.price - one * now.price) <= (NEAR - 1) * one * now.price]
    if not near or now.dollars > 2 * start.dollars or start.dollars > 2 * now.dollars:
        return None
    return {
        "ratio": rounded(min(near, key=lambda one: (abs(start.price / (one * now.price) - 1), one)), 12),
        "mixed_ratio": rounded(between.price / now.price, 12) if between else None,
        "price_before": rounded(start.price, 6),
        "price_after": rounded(now.price, 6),
    }
