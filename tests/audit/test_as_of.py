"""What was known when, against a plain model of captures in a list."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.audit.revisions import effects, revisions, values
from otcpipe.metrics import catalog, completion, definitions
from otcpipe.records import Partition
from otcpipe.weeks import NEW_YORK, PUBLICATION_TIME, due_at, published_on
from tests.support.pipeline import api_text, drive, observe
from tests.support.plans import is_of_records, nodes

Sql = Callable[..., list[tuple[Any, ...]]]
Rows = dict[tuple[str | None, str], tuple[int, date]]  # symbol and venue: shares, and when updated
WEEK = date(2026, 3, 6)
T1 = Partition(WEEK, "T1")
PUBLISHED = published_on(WEEK, "T1")
METRICS = [metric.name for metric in definitions.metrics()]


@dataclass(frozen=True)
class Capture:
    """A moment, and the rows that were there."""

    at: datetime
    rows: Rows


def published(partition: Partition) -> date:
    """The day on which FINRA published: as planned in the first week, a week late in the next, then a day early."""
    shift = (0, 7, -1)[(partition.week_ending - WEEK).days // 7 % 3]
    return published_on(partition.week_ending, partition.tier) + timedelta(days=shift)


def due(partition: Partition) -> datetime:
    return datetime.combine(published(partition), PUBLICATION_TIME, NEW_YORK)


def text(partition: Partition, rows: Rows) -> bytes:
    return api_text(
        [
            {
                "issueSymbolIdentifier": symbol or "",
                "MPID": mpid,
                "totalWeeklyShareQuantity": shares,
                "initialPublishedDate": published(partition),
                "lastUpdateDate": updated,
            }
            for (symbol, mpid), (shares, updated) in rows.items()
        ],
        partition,
    )


def model(
    captures: Sequence[Capture], partition: Partition, at: datetime, *, strict: bool
) -> dict[tuple[str | None, str], int]:
    """The rows of the last capture by then; before the first, its rows from their publication on."""
    known = [capture for capture in captures if capture.at <= at]
    if known:
        return {key: shares for key, (shares, _) in max(known, key=lambda one: one.at).rows.items()}
    first = min(captures, key=lambda one: one.at)
    return {
        key: shares
        for key, (shares, updated) in first.rows.items()
        if at >= due(partition) and (updated == published(partition) or not strict)
    }


def random_captures(rng: random.Random, partition: Partition) -> list[Capture]:
    day = published(partition)
    start = due(partition) + timedelta(hours=rng.choice([2, 30, 900]))
    keys: list[tuple[str | None, str]] = [
        (symbol, mpid) for symbol in ("A", "B", "C", None) for mpid in ("AAAA", "BBBB")
    ]
    states: list[Rows] = [{key: (rng.randint(1, 3), day) for key in keys if rng.random() < 0.8}]
    states[0][("A", "AAAA")] = (1, day + timedelta(days=rng.choice([0, 1])))
    for number in range(rng.randint(1, 5)):
        if rng.random() < 0.3:
            states.append(rng.choice(states))  # the same again, or a reversion
            continue
        changed = dict(states[-1])
        for key in rng.sample(keys, 2):
            changed[key] = (rng.randint(1, 3), day + timedelta(days=number + 1))
        gone = rng.choice(keys)
        if len(changed) > 1 and rng.random() < 0.5:
            changed.pop(gone, None)
        states.append(changed)
    return [Capture(start + timedelta(days=2 * number), state) for number, state in enumerate(states)]


def as_of(sql: Sql, partition: Partition, at: datetime, *, strict: bool) -> dict[tuple[str | None, str], int]:
    rows = sql(
        "select symbol, mpid, share_volume::int from otc.venue_volume_as_of(%s, %s)"
        " where week_ending = %s and tier = %s",
        at,
        strict,
        partition.week_ending,
        partition.tier,
    )
    return {(symbol, mpid): shares for symbol, mpid, shares in rows}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 12))])
def test_at_every_moment_the_answer_is_the_models(seed: int, sql: Sql) -> None:
    """Captures in any order, some at the same time; eight partitions at once to save time."""
    rng = random.Random(seed)
    partitions = [Partition(WEEK + timedelta(days=7 * number), rng.choice(["T1", "T2"])) for number in range(8)]
    captures = {partition: random_captures(rng, partition) for partition in partitions}
    arrivals = [(partition, capture) for partition in partitions for capture in captures[partition]]
    rng.shuffle(arrivals)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda one: drive(observe(text(one[0], one[1].rows), one[0], one[1].at, "all")), arrivals))
    for partition, held in captures.items():
        begin, planned = due(partition), due_at(partition.week_ending, partition.tier)
        moments = [
            begin - timedelta(seconds=1),
            begin,
            planned,
            *(c.at + timedelta(seconds=s) for c in held for s in (-1, 0, 1)),
        ]
        for at in moments:
            for strict in (False, True):
                expected = model(held, partition, at, strict=strict)
                assert as_of(sql, partition, at, strict=strict) == expected, (partition, at, strict)
            loaded = sql("select week_ending, tier from otc.loaded_as_of(%s)", at)
            is_loaded = at >= begin or at >= min(one.at for one in held)
            assert ((partition.week_ending, partition.tier) in loaded) is is_loaded, (partition, at)
    current = sql("select week_ending, tier, symbol, mpid, share_volume::int from otc.venue_volume")
    assert {(Partition(w, t), s, m): v for w, t, s, m, v in current} == {
        (partition, *key): shares
        for partition, held in captures.items()
        for key, (shares, _) in held[-1].rows.items()
    }
    completion.complete(resources.database())
    for metric in METRICS:
        columns = f"select (to_jsonb(m) - 'computed_at')::text from otc.{metric}"
        assert sql(f"{columns} m order by 1") == sql(f"{columns}_as_of('infinity') m order by 1"), metric


def test_two_orders_of_arrival_end_in_identical_tables(sql: Sql) -> None:
    captures = random_captures(random.Random(5), T1)
    dumps = []
    for order in (captures, captures[::-1]):
        sql(
            "truncate otc.capture, otc_internal.volume_record, otc.stage_run, otc.reject, otc_internal.name"
            " restart identity"
        )
        for metric in METRICS:
            sql(f"truncate otc.{metric}")
        for capture in order:
            drive(observe(text(T1, capture.rows), T1, capture.at, "all"))
        records = """
            select v.symbol, v.mpid, v.share_volume, v.updated_on, v.observed_at, v.closed_at, v.certainty,
                v.available_at
            from otc.version v order by 1, 2, 5
        """
        tables = [
            sql(f"select (to_jsonb(m) - 'computed_at')::text from otc.{metric} m order by 1") for metric in METRICS
        ]
        dumps.append((sql(records), *tables))
    assert dumps[0] == dumps[1]
    assert dumps[0][0]


def test_the_recorded_vintages_of_spy_are_three_revisions(sql: Sql) -> None:
    values = (81_448_654, 96_459_364, 81_448_654)
    days = [datetime(2026, 3, 24 + day, 15, tzinfo=UTC) for day in range(3)]
    for value, at, updated in zip(values, days, (PUBLISHED, date(2026, 3, 24), date(2026, 3, 25)), strict=True):
        drive(observe(text(T1, {("SPY", "AAAA"): (value, updated)}), T1, at, "all"))
    assert sql("select share_volume::int, certainty from otc.version order by observed_at") == [
        (values[0], "inferred"),
        (values[1], "observed"),
        (values[2], "observed"),
    ]
    assert sql("select share_volume::int from otc.venue_volume") == [(values[0],)]
    for value, at in zip(values, days, strict=True):
        asked = at + timedelta(hours=1)
        assert as_of(sql, T1, asked, strict=True) == {("SPY", "AAAA"): value}
        query = "select total_volume::int from otc.symbol_summary_as_of(%s) where symbol = 'SPY' and scope = 'ALL'"
        assert sql(query, asked) == [(value,)]
    told = [
        (row["change"], int(row["share_volume_before"]), int(row["share_volume_after"]), row["days_late"])
        for row in revisions(resources.database(), symbol="SPY")
    ]
    assert told == [("changed", values[0], values[1], 2), ("changed", values[1], values[2], 3)]


def test_the_certainty_of_a_first_publication(sql: Sql) -> None:
    on_time, late = due_at(WEEK, "T1") + timedelta(hours=3), due_at(WEEK, "T1") + timedelta(days=40)
    t2 = Partition(WEEK, "T2")
    drive(observe(text(T1, {("A", "AAAA"): (1, PUBLISHED)}), T1, on_time, "all"))
    later = published_on(WEEK, "T2")
    rows: Rows = {("B", "AAAA"): (1, later), ("C", "AAAA"): (1, later + timedelta(days=3))}
    drive(observe(text(t2, rows), t2, late, "all"))
    assert sql("select symbol, certainty, available_at from otc.venue_volume_as_of('infinity') order by 1") == [
        ("A", "observed", due_at(WEEK, "T1")),
        ("B", "inferred", due_at(WEEK, "T2")),
        ("C", "unknown", late),
    ]


def test_the_effect_of_a_restatement_is_the_difference_of_the_tables(sql: Sql) -> None:
    """Only the week and the weeks that its metrics affect are computed again."""
    weeks = [Partition(WEEK + timedelta(days=7 * number), "T1") for number in range(8)]
    rows: Rows = {("A", "AAAA"): (100, PUBLISHED), ("B", "AAAA"): (50, PUBLISHED), ("A", "BBBB"): (60, PUBLISHED)}
    for partition in weeks:
        drive(observe(text(partition, rows), partition, due_at(partition.week_ending, "T1"), "all"))
    before = {metric: tables(sql, metric) for metric in METRICS}
    stamps = {metric: sql(f"select (to_jsonb(m))::text from otc.{metric} m") for metric in METRICS}
    moment = due_at(weeks[-1].week_ending, "T1") + timedelta(days=1)
    restated = rows | {("A", "BBBB"): (300, PUBLISHED)}
    drive(observe(text(weeks[1], restated), weeks[1], moment, "all"))
    found = effects(resources.database(), revisions(resources.database()))
    told = {(row["metric"], row["week_ending"]): row["rows"] for row in found}
    expected: dict[tuple[str, date], int] = {}
    for metric in METRICS:
        after = tables(sql, metric)
        for key in set(after) | set(before[metric]):
            if after.get(key) != before[metric].get(key):
                expected[metric, key[0]] = expected.get((metric, key[0]), 0) + 1
        untouched = {row for (row,) in stamps[metric]} & {
            row for (row,) in sql(f"select (to_jsonb(m))::text from otc.{metric} m")
        }
        changed = sum(count for (name, _), count in expected.items() if name == metric)
        assert len(untouched) == len(before[metric]) - changed, metric
    assert told == expected
    assert {week for _, week in told} == {one.week_ending for one in weeks[1:7]}
    assert max(row["words"] for row in found) > 0
    changes = revisions(resources.database())
    assert values(resources.database(), "B", changes) == []
    listed = {
        (row["metric"], row["week_ending"], row["scope"], row["column_name"]): (row["before"], row["after"])
        for row in values(resources.database(), "A", changes)
    }
    assert listed["symbol_summary", weeks[1].week_ending, "ATS", "total_volume"] == ("160.000000", "400.000000")
    columns = (
        "select table_name from information_schema.columns where table_schema = 'otc' and column_name = 'symbol'"
    )
    by_symbol = {name for (name,) in sql(columns)}
    assert {(metric, week) for metric, week, _, _ in listed} == {one for one in expected if one[0] in by_symbol}


def tables(sql: Sql, metric: str) -> dict[tuple[Any, ...], str]:
    """The rows of a metric by their keys, without the time of computing."""
    key = "j->>'tier', j->>'symbol', j->>'scope', j->>'mpid'"
    rows = sql(f"select week_ending, {key}, (j - 'computed_at')::text from otc.{metric} m, to_jsonb(m) j")
    return {row[:-1]: row[-1] for row in rows}


@pytest.mark.parametrize("metric", [name for name in METRICS if "symbol" in catalog.table(name).keys])
def test_a_metric_of_one_symbol_as_of_a_moment_reads_no_other_symbols_records(sql: Sql, metric: str) -> None:
    """With millions of records all others would take seconds, and once did."""
    drive(observe(text(T1, {("ABC", "AAAA"): (1, PUBLISHED)}), T1, covers="all"))
    asked = f"select * from otc.{metric}_as_of('2030-01-01', '{WEEK}', '{WEEK}') where symbol = 'ABC'"
    scans = [node for node in nodes(sql(f"explain (format json) {asked}")[0][0][0]["Plan"]) if is_of_records(node)]
    assert scans
    assert all("symbol = 'ABC'::text" in node.get("Index Cond", "") + node.get("Filter", "") for node in scans)
