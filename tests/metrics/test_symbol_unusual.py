"""A week against the symbol's own past: the table is the reference, and the examples come out."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from statistics import median
from typing import Any

import pytest

from otcpipe.records import Partition
from tests.conftest import DATA
from tests.metrics import splits
from tests.metrics.conftest import World
from tests.metrics.examples import WORLDS, ats, firm, matching, only, told
from tests.metrics.generate import History, covered
from tests.metrics.load import load, ordered, tables
from tests.metrics.records import (
    SCOPES,
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
from tests.support.pipeline import NOON, drive, file_text, observe

WEEKS = [date(2025, 1, 3) + timedelta(days=7 * number) for number in range(62)]
ENOUGH = 8
VALUES = ("median", "ratio", "robust_z", "percentile")
Weekly = dict[date, Fraction]


def reference(records: list[Record], loaded: Loaded, given: Sequence[splits.Given] = ()) -> Iterator[Row]:
    found = splits.factors(records, loaded, given)
    for (symbol, scope), own in _weeks(records, loaded).items():
        of_symbol = found.get(symbol, ())
        for week, members in own.items():
            adjusted = {day: splits.factor(of_symbol, day, week) for day in own if day <= week}
            daily = {day: _per_day(own[day], day) * by for day, by in adjusted.items()}
            shares = {day: volume(own[day]) * by for day, by in adjusted.items()}
            x = daily[week]
            past_13, past_52 = (_before(daily, week, weeks) for weeks in (13, 52))
            yield {
                "week_ending": week,
                "symbol": symbol,
                "scope": scope,
                "volume_per_day": rounded(x, 6),
                "notional_per_day": _notional(members, week),
                "vs_prior_5w_pct": _against_mean(shares[week], _before(shares, week, 5)),
                **_against(x, past_13, "13w"),
                **_against(x, past_52, "52w"),
                "streak": _streak(daily, week, past_13),
                "split_factor": splits.shown(of_symbol, week, 52),
            }


def _weeks(records: list[Record], loaded: Loaded) -> dict[tuple[str, str], dict[date, list[Record]]]:
    """The records by symbol and scope, in weeks in which the symbol's tiers cover the scope."""
    found: dict[tuple[str, str], dict[date, list[Record]]] = defaultdict(dict)
    for (week, symbol), of_symbol in groups(records, "week_ending", "symbol"):
        for scope in SCOPES:
            members = of_scope(of_symbol, scope)
            if symbol and members and all(matches(loaded[week, record.tier], scope) for record in of_symbol):
                found[symbol, scope][week] = members
    return found


def _per_day(members: list[Record], week: date) -> Fraction:
    tiers = [volume(own) / trading_days(week) for _, own in groups(members, "tier")]
    return Fraction(sum(rounded(tier, 6) for tier in tiers))


def _notional(members: list[Record], week: date) -> Decimal | None:
    dollars = [record.notional for record in members if record.notional is not None]
    if len(dollars) < len(members):
        return None
    return rounded(Fraction(sum(dollars, Decimal(0))) / trading_days(week), 6)


def _before(weekly: Weekly, week: date, weeks: int) -> list[Fraction]:
    days = [week - timedelta(days=7 * number) for number in range(1, weeks + 1)]
    return [weekly[day] for day in days if day in weekly]


def _against_mean(x: Fraction, past: list[Fraction]) -> Decimal | None:
    mean = sum(past) / Fraction(len(past)) if past else Fraction(0)
    return rounded(100 * (x - mean) / mean, 2) if mean else None


def _against(x: Fraction, past: list[Fraction], name: str) -> Row:
    is_known = len(past) >= ENOUGH
    middle = median(past) if is_known else Fraction(0)
    deviation = median(abs(other - middle) for other in past) if is_known else Fraction(0)
    halves = sum(2 * (other < x) + (other == x) for other in past)
    return {
        f"weeks_{name}": len(past),
        f"median_{name}": rounded(middle, 6) if is_known else None,
        f"ratio_{name}": rounded(x / middle, 4) if middle else None,
        f"robust_z_{name}": rounded((x - middle) / (Fraction("1.4826") * deviation), 2) if deviation else None,
        f"percentile_{name}": rounded(Fraction(50 * halves, len(past)), 2) if is_known else None,
    }


def _streak(weekly: Weekly, week: date, past_13: list[Fraction]) -> int | None:
    if len(past_13) < ENOUGH:
        return None
    middle, length = median(past_13), 0

    def side(day: date) -> int:
        return (weekly[day] > middle) - (weekly[day] < middle)

    for number in range(53):
        day = week - timedelta(days=7 * number)
        if day not in weekly or side(day) != side(week):
            break
        length += 1
    return length * side(week)


def long_history(seed: int) -> History:
    """More than a year with gaps, entries, exits, ties, files among the captures and symbols on two tiers."""
    random = Random(seed)
    loaded = {
        (week, tier): "ats" if random.random() < 0.15 else "all"
        for week in WEEKS
        for tier, often in (("T1", 0.62), ("T2", 0.1))
        if random.random() < often
    }
    lives = {
        "STEADY": (0, 62),
        "ENTERS": (26, 62),
        "LEAVES": (0, 40),
        "SAME": (0, 62),
        "IDLE": (0, 62),
        "BOTH": (0, 62),
    }
    records = []
    for number, week in enumerate(WEEKS):
        for symbol, (first, end) in lives.items():
            if first <= number < end and (symbol == "STEADY" or random.random() < 0.85):
                tiers = ["T1", "T2"] if symbol == "BOTH" else ["T1"] if random.random() < 0.9 else ["T2"]
                for tier in tiers:
                    size = {"SAME": 60, "IDLE": 0}.get(symbol, random.choice([1, 7, 7, 50, 100, 1000]))
                    more: dict[str, Any] = {"week_ending": week, "tier": tier}
                    more["notional"] = None if random.random() < 0.1 else Decimal(random.randrange(10**6))
                    records += [ats(symbol, size * trading_days(week), **more)]
                    records += [firm(symbol, size, **more)] * (random.random() < 0.7)
    return covered(records, loaded)


def weekly(symbol: str, volumes: Mapping[int, object]) -> list[Record]:
    """Records of a symbol by the number of the week, with so many shares on each day."""
    return [
        ats(symbol, Decimal(str(size)) * trading_days(WEEKS[number]), week_ending=WEEKS[number])
        for number, size in volumes.items()
    ]


EXAMPLES = told(
    [
        *weekly("JUMP", dict(zip(range(14), [9, 11] * 6 + [10, 30], strict=True))),
        *weekly("SEVEN", dict.fromkeys([*range(7), 13], 5)),
        *weekly("EIGHT", dict.fromkeys([*range(8), 13], 5)),
        *weekly("OLDER", dict.fromkeys([*range(8), 14], 5)),
        *weekly("RISES", {number: 1 if number < 10 else 3 for number in range(14)}),
        *weekly("FALLS", {number: 3 if number < 11 else 1 for number in range(14)}),
        *weekly("PAUSES", {number: 1 if number < 10 else 3 for number in range(14) if number != 11}),
        *weekly("NOUGHT", {number: 4 if number == 13 else 0 for number in range(14)}),
        *weekly("ENDS", dict.fromkeys(range(13), 5)),
    ],
    {(week, "T1"): "all" for week in WEEKS[:15]},
)


@pytest.fixture(scope="module")
def rows(loaded: Callable[..., World]) -> list[Row]:
    return loaded(EXAMPLES, 0, ["symbol_unusual"]).tables["symbol_unusual"]


def at(rows: list[Row], symbol: str, number: int = 13) -> Row:
    return only(rows, symbol=symbol, scope="ATS", week_ending=WEEKS[number])


@pytest.mark.parametrize("name", WORLDS)
def test_the_table_is_the_reference_row_for_row(world: Callable[..., World], name: int | str) -> None:
    history, stored, known = world(name)
    assert stored["symbol_unusual"] == ordered(reference(history.records, history.loaded))
    assert known["symbol_unusual"] == stored["symbol_unusual"]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_more_than_a_year_is_the_reference_row_for_row(loaded: Callable[..., World], seed: int) -> None:
    history, stored, known = loaded(long_history(seed), seed, ["symbol_unusual"])
    expected = ordered(reference(history.records, history.loaded))
    assert stored["symbol_unusual"] == expected
    assert known["symbol_unusual"] == expected


def test_the_long_histories_hold_what_the_comparison_is_for() -> None:
    found = [row for seed in (1, 2) for row in reference(*vars(long_history(seed)).values())]
    for column in (f"{value}_{weeks}w" for value in VALUES for weeks in (13, 52)):
        assert {row[column] is None for row in found} == {True, False}
    assert {7, 8} <= {row["weeks_13w"] for row in found} & {row["weeks_52w"] for row in found}
    assert max(row["weeks_52w"] for row in found) > 26
    assert {-2, -1, 0, 1, 2} <= {row["streak"] for row in found}
    assert any(row["median_52w"] and row["robust_z_52w"] is None for row in found)
    assert any(row["median_52w"] == 0 and row["ratio_52w"] is None for row in found)


def test_a_week_is_compared_with_weeks_before_it_and_not_with_itself(rows: list[Row]) -> None:
    row = at(rows, "JUMP")
    assert (row["volume_per_day"], row["median_13w"], row["ratio_13w"]) == (30, 10, 3)
    assert (row["robust_z_13w"], row["percentile_13w"]) == (rounded(20 / Fraction("1.4826"), 2), 100)


def test_below_eight_weeks_with_records_only_their_number_is_known(rows: list[Row]) -> None:
    seven, eight = at(rows, "SEVEN"), at(rows, "EIGHT")
    assert (seven["weeks_13w"], eight["weeks_13w"]) == (7, 8)
    assert {seven[f"{value}_{weeks}w"] for value in VALUES for weeks in (13, 52)} == {None}
    assert seven["streak"] is None
    assert (eight["ratio_13w"], eight["ratio_52w"], eight["streak"], eight["percentile_52w"]) == (1, 1, 0, 50)
    older = at(rows, "OLDER", 14)
    assert (older["weeks_13w"], older["weeks_52w"], older["ratio_13w"], older["ratio_52w"]) == (7, 8, None, 1)


def test_against_equal_weeks_there_is_no_z_and_against_none_no_ratio(rows: list[Row]) -> None:
    assert (at(rows, "EIGHT")["ratio_13w"], at(rows, "EIGHT")["robust_z_13w"]) == (1, None)
    nought = at(rows, "NOUGHT")
    assert (nought["median_13w"], nought["ratio_13w"], nought["percentile_52w"]) == (0, None, 100)


def test_a_streak_counts_weeks_on_one_side_and_ends_at_a_week_without_records(rows: list[Row]) -> None:
    assert (at(rows, "RISES")["streak"], at(rows, "FALLS")["streak"], at(rows, "PAUSES")["streak"]) == (4, -3, 2)


def test_a_symbol_without_records_in_the_week_has_no_row(rows: list[Row]) -> None:
    assert matching(rows, symbol="ENDS", week_ending=WEEKS[13]) == []


@pytest.mark.usefixtures("sql")
def test_a_restated_week_changes_later_weeks_now_and_not_as_known_before() -> None:
    stored = load(told(weekly("AAA", dict.fromkeys(range(9), 10)), {}))["symbol_unusual"]
    restated = file_text([("AAA", "AAAA", 50 * trading_days(WEEKS[0]), 1)], "T1")
    drive(observe(restated, Partition(WEEKS[0], "T1"), NOON + timedelta(days=1)))
    now = tables()["symbol_unusual"]
    assert (at(stored, "AAA", 8)["percentile_52w"], at(now, "AAA", 8)["percentile_52w"]) == (50, Decimal("43.75"))
    assert tables(NOON)["symbol_unusual"] == stored
    assert tables(NOON + timedelta(days=1))["symbol_unusual"] == now


@pytest.mark.usefixtures("sql")
@pytest.mark.parametrize(
    ("symbol", "week", "change", "of_six_weeks"),
    [("AAPL", date(2026, 6, 26), "100.27", "71.59"), ("BRK.B", date(2025, 2, 28), "98.17", "70.30")],
)
def test_on_recorded_weeks_the_jump_is_not_hidden(symbol: str, week: date, change: str, of_six_weeks: str) -> None:
    """The mean of six weeks, which includes the week, hides half of it."""
    found = load(told(_recorded(symbol, week)))
    row = only(found["symbol_unusual"], week_ending=week, scope="ATS")
    assert row["vs_prior_5w_pct"] == Decimal(change)
    average = only(found["symbol_rolling_avg"], week_ending=week, scope="ATS")
    assert average["volume_vs_avg_pct"] == Decimal(of_six_weeks)


def _recorded(symbol: str, last: date) -> list[Record]:
    with gzip.open(DATA / "aapl_brkb_ats_w_smbl_t1_248_weeks.csv.gz", "rt", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["issueSymbolIdentifier"] == symbol]
    weeks = {date.fromisoformat(row["weekStartDate"]) + timedelta(days=4): row for row in rows}
    return [
        ats(
            symbol,
            row["totalWeeklyShareQuantity"],
            week_ending=week,
            trade_count=int(row["totalWeeklyTradeCount"]),
            notional=Decimal(row["totalNotionalSum"]),
        )
        for week, row in weeks.items()
        if last - timedelta(days=56) <= week <= last
    ]
