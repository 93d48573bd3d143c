"""Splits of a file replace those inferred, from the moment on from which they were known."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.metrics import catalog, completion
from otcpipe.metrics.history import build
from otcpipe.pipeline.volumes.imports import SPLITS
from tests.metrics import reference, splits
from tests.metrics.examples import matching, only, told
from tests.metrics.load import load, ordered, tables
from tests.metrics.records import Row
from tests.metrics.splits import Given
from tests.metrics.test_market_share import computed
from tests.metrics.test_symbol_split import AT, RATIOS, WEEKS, priced, split, splitting
from tests.metrics.test_symbol_unusual import reference as symbol_unusual
from tests.pipeline.volumes.samples import split_file
from tests.pipeline.volumes.test_imports import moment, put

pytestmark = pytest.mark.usefixtures("environment")
LONG_AFTER = datetime(2026, 11, 1, tzinfo=UTC)
BEFORE = moment(20)  # after the records, and before the files
METRICS = ("symbol_split", "symbol_rolling_avg", "symbol_unusual")
Sql = Callable[..., list[tuple[Any, ...]]]


def give(*rows: tuple[object, ...], number: int = 25) -> None:
    """Import a file of splits as observed on a day, and compute what follows."""
    put(SPLITS, split_file(rows), number)
    computed()


def given_of(seed: int) -> list[Given]:
    """Splits on any day: some that the prices show too, and some that they do not."""
    random, made = Random(seed), splitting(seed)
    places = [(symbol, random.choice(WEEKS)) for symbol in "AABCDDEFGG"]
    places += [
        (row["symbol"], row["week_ending"] - random.choice([0, 7]) * timedelta(days=1))
        for row in splits.split_rows(made.records, made.loaded)
        if random.random() < 0.5
    ]
    chosen = [
        Given(symbol, week - timedelta(days=random.randrange(-2, 5)), random.choice([Fraction(1), *RATIOS.values()]))
        for symbol, week in places
    ]
    return [*{(one.symbol, one.week): one for one in chosen}.values()]


def expected(seed: int, given: list[Given]) -> dict[str, list[Row]]:
    made = splitting(seed)
    return {
        "symbol_split": ordered(splits.split_rows(made.records, made.loaded, given)),
        "symbol_rolling_avg": ordered(reference.symbol_rolling_avg(made.records, made.loaded, (), given)),
        "symbol_unusual": ordered(symbol_unusual(made.records, made.loaded, given)),
    }


@pytest.mark.parametrize("seed", [3, 5])
def test_histories_with_given_splits_are_the_reference_row_for_row(seed: int) -> None:
    given = given_of(seed)
    load(splitting(seed), seed)
    give(*[(one.symbol, one.ex_date, f"{one.ratio.numerator}:{one.ratio.denominator}") for one in given])
    whole, none = expected(seed, given), expected(seed, [])
    now, later, before = (tables(at, METRICS) for at in (None, LONG_AFTER, BEFORE))
    for metric in METRICS:
        assert now[metric] == later[metric] == whole[metric], metric
        assert before[metric] == none[metric] != whole[metric], metric
    of_file = matching(now["symbol_split"], source="given")
    assert {row["mixed_ratio"] is None for row in of_file} == {True, False}
    assert matching(now["symbol_split"], source="inferred")
    assert any(row not in now["symbol_split"] for row in none["symbol_split"])


@pytest.mark.parametrize("days", [0, 3])
def test_a_given_split_is_no_trend_in_its_own_week(days: int) -> None:
    """An inferred one in the middle of a week is found a week later."""
    load(told(priced("FOUR", split(Fraction(4), days_before=days)), {(week, "T1"): "all" for week in WEEKS}))
    give(("FOUR", WEEKS[AT] - timedelta(days=4 - days), "4:1"))
    now = tables(None, METRICS)
    row = only(now["symbol_split"], symbol="FOUR")
    assert (row["week_ending"], row["source"], row["ratio"]) == (WEEKS[AT], "given", 4)
    for row in matching(now["symbol_rolling_avg"], symbol="FOUR", scope="ALL"):
        if WEEKS[AT] <= row["week_ending"] < WEEKS[15]:  # which has a day less
            assert row["trend"] == "stable"
    for row in matching(now["symbol_unusual"], symbol="FOUR", scope="ALL"):
        assert row["robust_z_13w"] is None or abs(row["robust_z_13w"]) < 3


def test_a_ratio_of_one_says_that_an_inferred_split_was_none() -> None:
    load(told(priced("FOUR", split(Fraction(4))), {(week, "T1"): "all" for week in WEEKS}))
    assert only(tables(None, METRICS)["symbol_split"])["source"] == "inferred"
    give(("FOUR", WEEKS[AT] - timedelta(days=4), 1))
    now = tables(None, METRICS)
    assert now["symbol_split"] == []
    assert only(now["symbol_rolling_avg"], scope="ALL", week_ending=WEEKS[AT])["trend"] == "up"


def test_a_split_in_a_week_that_is_not_loaded_still_counts() -> None:
    records = [one for one in priced("FOUR", split(Fraction(4))) if one.week_ending != WEEKS[AT]]
    load(told(records))
    give(("FOUR", WEEKS[AT] - timedelta(days=4), "4:1"))
    now = tables(None, METRICS)
    assert now["symbol_split"] == []
    row = only(now["symbol_rolling_avg"], scope="ALL", week_ending=WEEKS[AT + 1])
    assert (row["trend"], row["split_factor"]) == ("stable", 4)


MOMENTS = [datetime(2025, 12, 22, 12, tzinfo=UTC) + timedelta(days=number) for number in range(12)]


@pytest.mark.parametrize("metric", METRICS)
def test_the_history_at_any_moment_is_the_metric_as_of_it(metric: str, sql: Sql) -> None:
    weeks = WEEKS[AT - 9 : AT + 3]
    rows = [one for one in priced("FOUR", split(Fraction(4), days_before=2)) if one.week_ending in weeks]
    load(told([*rows, *(one for one in priced("TWO", split(Fraction(2))) if one.week_ending in weeks)]))
    day = WEEKS[AT] - timedelta(days=2)
    give(("FOUR", day, "4:1", "2025-12-23"), ("TWO", day, 3, "2025-12-25T06:00:00-05:00"), number=26)
    give(("FOUR", day, "5:1", "2025-12-24"), number=28)
    give(("FOUR", day, 1), number=30)
    completion.complete(resources.database())
    build(resources.database(), [metric])
    shown = ", ".join(catalog.table(metric).names)
    seen = set()
    for at in MOMENTS:
        known = sql(f"select {shown} from otc.{metric}_as_of(%s) order by 1, 2, 3", at)
        of_history = sql(
            f"select {shown} from otc.{metric}_history"
            " where known_from <= %s and (known_until > %s or known_until is null) order by 1, 2, 3",
            at,
            at,
        )
        assert of_history == known
        seen.add(str(known))
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("files", "at", "ratio"),
    [
        ([("4:1", "2025-06-01")], BEFORE, 4),
        ([("4:1", "")], BEFORE, None),
        ([("4:1", "")], moment(25), 4),
        ([("4:1", "2025-06-01"), ("5:1", "2025-06-01")], BEFORE, 4),
        ([("4:1", "2025-06-01"), ("5:1", "2025-06-01")], moment(26), 5),
        ([("4:1", "2025-06-01"), ("4:1", "2025-07-01")], BEFORE, 4),
    ],
)
def test_a_split_is_known_from_what_its_first_file_says_and_a_change_from_its_import(
    sql: Sql, files: list[tuple[str, str]], at: datetime, ratio: int | None
) -> None:
    for number, (text, known_from) in enumerate(files):
        give(("ABC", date(2025, 6, 10), text, known_from), number=25 + number)
    rows = sql("select ratio from otc.stock_split_as_of(%s)", at)
    assert rows == ([] if ratio is None else [(Decimal(ratio),)])
