"""The splits that are given, or that plain Python infers from records, and what they make of earlier weeks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import prod

from tests.metrics.records import (
    CLOSED,
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


@dataclass(frozen=True)
class Given:
    """A split of a file; with a ratio of 1, there was none."""

    symbol: str
    ex_date: date
    ratio: Fraction

    @property
    def week(self) -> date:
        """The week of the first trading day with the new shares."""
        week = self.ex_date + timedelta(days=4 - self.ex_date.weekday())
        return week if any(day >= self.ex_date for day in _sessions(week)) else week + WEEK

    @property
    def mixed_ratio(self) -> Decimal | None:
        """What the shares of that week are multiplied by, where some traded before."""
        days = _sessions(self.week)
        old = sum(day < self.ex_date for day in days)
        ratio = Fraction(rounded(self.ratio, 12))
        return rounded(len(days) / (old / ratio + len(days) - old), 12) if old else None


@dataclass(frozen=True)
class Split:
    """What a split makes of shares: of weeks before `new_week`, as seen from `week` or later."""

    week: date
    new_week: date
    ratio: Fraction
    mixed: Fraction | None
    replaced_in: date = date.max  # by one that shows better what it was

    def concerns(self, later: date) -> bool:
        return self.week <= later < self.replaced_in

    def factor(self, earlier: date, later: date) -> Fraction:
        """What the shares of an earlier week are multiplied by, to compare them with those of a later one."""
        mixed_week = self.new_week - WEEK
        if earlier >= min(self.new_week, later) or not self.concerns(later):
            return Fraction(1)
        if self.mixed is None:
            return self.ratio
        if later == mixed_week:
            return Fraction(rounded(self.ratio / self.mixed, 9))
        return self.mixed if earlier == mixed_week else self.ratio


Factors = Sequence[Split]  # of one symbol


def split_rows(records: list[Record], loaded: Loaded, given: Sequence[Given] = ()) -> Iterator[Row]:
    certain = {(one.symbol, week) for one in given for week in (one.week, one.week + WEEK)}
    yield from (row for row in _inferred(records, loaded) if (row["symbol"], row["week_ending"]) not in certain)
    for one in given:
        if one.ratio != 1 and one.week in {week for week, _ in loaded}:
            yield {
                "week_ending": one.week,
                "symbol": one.symbol,
                "ratio": rounded(one.ratio, 12),
                "mixed_ratio": one.mixed_ratio,
                "price_before": None,
                "price_after": None,
                "source": "given",
                "ex_date": one.ex_date,
            }


def _inferred(records: list[Record], loaded: Loaded) -> Iterator[Row]:
    by_scope = {scope: _weeks(records, loaded, scope) for scope in ("ALL", "ATS", "NON_ATS")}
    for week, symbol in sorted({key for weeks in by_scope.values() for key in weeks}):
        found = (_split(weeks, week, symbol) for weeks in by_scope.values() if (week, symbol) in weeks)
        first = next((row for row in found if row), None)
        if first:
            yield {"week_ending": week, "symbol": symbol} | first | {"source": "inferred", "ex_date": None}


def factors(records: list[Record], loaded: Loaded, given: Sequence[Given] = ()) -> Mapping[str, Factors]:
    """The splits by symbol."""
    found: dict[str, list[Split]] = {}
    inferred = [row for row in split_rows(records, loaded, given) if row["source"] == "inferred"]
    better = {(row["symbol"], row["week_ending"]) for row in inferred if row["mixed_ratio"] is not None}
    for row in inferred:
        mixed = None if row["mixed_ratio"] is None else Fraction(row["mixed_ratio"])
        week, symbol = row["week_ending"], row["symbol"]
        replaced_in = week + WEEK if (symbol, week + WEEK) in better else date.max
        found.setdefault(symbol, []).append(Split(week, week, Fraction(row["ratio"]), mixed, replaced_in))
    for one in (one for one in given if one.ratio != 1):
        mixed = None if one.mixed_ratio is None else Fraction(one.mixed_ratio)
        new_week = one.week if mixed is None else one.week + WEEK
        split = Split(one.week, new_week, Fraction(rounded(one.ratio, 12)), mixed)
        found.setdefault(one.symbol, []).append(split)
    return found


def factor(splits: Factors, earlier: date, week: date) -> Fraction:
    """What shares of an earlier week are multiplied by, to compare them with those of a week."""
    return prod((split.factor(earlier, week) for split in splits), start=Fraction(1))


def shown(splits: Factors, week: date, weeks: int) -> Decimal | None:
    """The factor of the first of some weeks before a week; None where no split is among them."""
    first = week - weeks * WEEK
    if not any(first < split.new_week and split.concerns(week) for split in splits):
        return None
    return rounded(factor(splits, first, week), 12)


def _sessions(week: date) -> list[date]:
    days = [week - timedelta(days=back) for back in reversed(range(5))]
    return [day for day in days if str(day) not in CLOSED]


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
