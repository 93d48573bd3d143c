"""The history of each table against its definition: the rows as known at any moment."""

import random
import re
import subprocess
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.metrics import catalog, completion, definitions, history
from otcpipe.pipeline import decisions
from otcpipe.pipeline.decisions import Decision
from otcpipe.records import Partition
from otcpipe.weeks import due_at, published_on
from tests.audit.test_as_of import Capture, random_captures, text
from tests.support.pipeline import accept, api_text, drive, file_text, observe, reconciled

Sql = Callable[..., list[tuple[Any, ...]]]
Here = Callable[..., "subprocess.CompletedProcess[str]"]
WEEK = date(2026, 3, 6)
METRICS = [metric.name for metric in definitions.metrics()]
DEFERRED = [metric.name for metric in definitions.metrics() if metric.is_deferred]
LAST = datetime(2100, 1, 1, tzinfo=UTC)


def weeks(number: int, *tiers: str) -> list[Partition]:
    return [Partition(WEEK + timedelta(days=7 * week), tier) for week in range(number) for tier in tiers]


def load(partition: Partition, capture: Capture) -> None:
    drive(observe(text(partition, capture.rows), partition, capture.at, "all"))


def spoiled(partition: Partition) -> bytes:
    """A capture with so many rejects, of symbols that have records elsewhere, that it is held."""
    good = [{"issueSymbolIdentifier": f"S{number}"} for number in range(90)]
    bad = [
        {"issueSymbolIdentifier": "ABC"[at % 3], "MPID": f"R{at}", "totalWeeklyShareQuantity": "x"}
        for at in range(15)
    ]
    return api_text([*good, *bad], partition)


def build() -> int:
    completion.complete(resources.database())
    return history.build(resources.database(), METRICS)


def withdraw(sql: Sql, key: str, partition: Partition, at: datetime) -> None:
    prefix = resources.settings()["S3_PREFIX"]
    decision = Decision("withdraw", partition, key, "an example", at)
    decisions.record(resources.database(), resources.store(), prefix, decision)
    drive(*reconciled())


def moments(captures: Iterable[tuple[Partition, Capture]]) -> set[datetime]:
    """Each moment at which knowledge changes, and the one just before it."""
    found = {LAST}
    for partition, capture in captures:
        for at in (capture.at, due_at(partition.week_ending, partition.tier)):
            found |= {at, at - timedelta(microseconds=1)}
    return found


def compared(sql: Sql) -> dict[str, str]:
    """The columns of each table that its history and its answers as of a moment have."""
    tables = {metric: sql("select columns from otc_internal.metric_columns(%s)", metric)[0][0] for metric in METRICS}
    records = sql(
        "select string_agg(attname, ', ') from pg_attribute"
        " where attrelid = 'otc.known_record'::regclass and attnum > 0 and attname <> 'avg_trade_size'"
    )
    return {**tables, "venue_volume": records[0][0]}


def differing(sql: Sql, at: datetime) -> dict[str, list[tuple[Any, ...]]]:
    """The rows by table that only the history or only the answer as of a moment has."""
    found = {}
    for table, columns in compared(sql).items():
        known = (
            f"select {columns} from otc.{table}_history"
            f" where known_from <= '{at}' and (known_until > '{at}' or known_until is null)"
        )
        defined = f"select {columns} from otc.{table}_as_of('{at}')"
        found[table] = sql(f"({known} except all {defined}) union all ({defined} except all {known})")
    return found


def assert_defined(sql: Sql, at: Iterable[datetime]) -> None:
    for moment in at:
        assert {table: rows for table, rows in differing(sql, moment).items() if rows} == {}, moment


def assert_always_defined(sql: Sql) -> None:
    """A history and the answers as of a moment are equal at each moment at which they may change, and before it."""
    changes = "select observed_at from otc.capture union select observed_at from otc.volume_import"
    changes += (
        " union select otc.published_at(published_on) from otc.venue_volume_history where published_on is not null"
    )
    changes += " union select otc.published_at(published_on) from otc.capture"
    for table in (*METRICS, "venue_volume"):
        changes += f" union select known_from from otc.{table}_history"
        changes += f" union select known_until from otc.{table}_history where known_until is not null"
    found = {at for (at,) in sql(changes)}
    at = sorted({LAST} | found | {one - timedelta(microseconds=1) for one in found})
    for table, columns in compared(sql).items():
        known = (
            f"select a.at, {columns} from at as a inner join otc.{table}_history"
            " on known_from <= a.at and (known_until > a.at or known_until is null)"
        )
        defined = f"select a.at, {columns} from at as a cross join lateral otc.{table}_as_of(a.at)"
        differing = sql(
            f"with at as materialized (select unnest(%s::timestamptz[]) as at)"
            f" (({known}) except all ({defined})) union all (({defined}) except all ({known}))",
            at,
        )
        assert differing == [], table


def assert_without_overlap(sql: Sql) -> None:
    """No key has two values at once, and two intervals that touch have different values."""
    for metric in METRICS:
        (columns, keys) = sql("select columns, keys from otc_internal.metric_columns(%s)", metric)[0]
        values = ", ".join(name for name in columns.split(", ") if name not in keys)
        wrong = sql(
            f"""
            select * from (
                select {", ".join(keys)}, known_from, known_until, row({values})::text as value,
                    lag(known_until) over w as until_before, lag(row({values})::text) over w as value_before,
                    row_number() over w > 1 as is_later
                from otc.{metric}_history window w as (partition by {", ".join(keys)} order by known_from)
            ) as h
            where known_until <= known_from
                or is_later and (until_before is null or until_before > known_from)
                or until_before = known_from and value = value_before
            """
        )
        assert wrong == [], metric


def assert_only_what_is_asked_is_compared(sql: Sql) -> None:
    """Each restated week is a call of the function that compares captures."""

    def calls(condition: str) -> list[str]:
        plan = sql(f"explain (analyze, timing off, costs off) select tier from otc.restatement {condition}")
        return [loops for (line,) in plan for loops in re.findall(r"Function Scan on revisions .*loops=(\d+)", line)]

    weeks = sql("select distinct week_ending from otc.restatement")
    assert len(weeks) > 1 and int(*calls("")) >= len(weeks)
    assert calls(f"where week_ending = '{weeks[0][0]}'") == ["1"]


def assert_ledger(sql: Sql) -> None:
    """What the ledger's rows add up to is what was known after an observation less what was known before it."""
    ledger = sql(
        "select week_ending, tier, symbol, observed_at,"
        " sum(coalesce(share_volume_after, 0) - coalesce(share_volume_before, 0)) as shares,"
        " sum(coalesce(trade_count_after, 0) - coalesce(trade_count_before, 0)) as trades"
        " from otc.restatement group by 1, 2, 3, 4"
    )
    defined = sql(
        """
        select
            c.week_ending, c.tier, k.symbol, c.observed_at,
            sum(k.sign * k.share_volume), sum(k.sign * k.trade_count)
        from otc.capture_order as c
        cross join lateral (
            select 1 as sign, * from otc.venue_volume_as_of(c.observed_at)
            union all
            select -1, * from otc.venue_volume_as_of(c.observed_at - interval '1 microsecond')
        ) as k
        where not c.is_first and k.week_ending = c.week_ending and k.tier = c.tier
        group by 1, 2, 3, 4
        """
    )
    assert ledger
    assert {row for row in ledger if any(row[4:])} == {row for row in defined if any(row[4:])}


def assert_effects(sql: Sql) -> None:
    """The effect of a restatement on a symbol's metrics is how their answers as of the two moments differ."""
    of_symbols = [metric for metric in METRICS if {"symbol", "scope"} <= {*catalog.table(metric).keys}]
    for symbol, week, at, effect in sql(
        "select symbol, week_ending, observed_at, effect from otc.restatement where symbol is not null"
        " order by observed_at desc limit 3"
    ):
        before = at - timedelta(microseconds=1)
        for metric in of_symbols:
            tier = "tier" if "tier" in catalog.table(metric).keys else "null"
            defined = sql(
                f"""
                with a as (select to_jsonb(m) - 'computed_at' - 'symbol' as row, week_ending, {tier} as tier, scope
                    from otc.{metric}_as_of('{at}') as m where symbol = '{symbol}' and week_ending >= '{week}'),
                b as (select to_jsonb(m) - 'computed_at' - 'symbol' as row, week_ending, {tier} as tier, scope
                    from otc.{metric}_as_of('{before}') as m where symbol = '{symbol}' and week_ending >= '{week}')
                select a.week_ending::text, a.tier, a.scope, otc_internal.differences(b.row, a.row)
                from a inner join b on b.week_ending = a.week_ending and b.tier is not distinct from a.tier
                    and b.scope = a.scope and b.row <> a.row
                """
            )
            found = [
                (one["week_ending"], one["tier"], one["scope"], one["changes"])
                for one in effect
                if one["metric"] == metric and isinstance(one["changes"], dict)
            ]
            assert sorted(found, key=str) == sorted(defined, key=str), (metric, symbol, week, at)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))])
def test_at_every_moment_the_history_is_the_answer_as_of_it(seed: int, sql: Sql) -> None:
    """Captures of three tiers in any order, one of them withdrawn, one held and perhaps accepted later."""
    rng = random.Random(seed)
    captures = {one: random_captures(rng, one) for one in weeks(2 + seed % 2, "T1", "T2", "OTCE")}
    arrivals = [(partition, capture) for partition in captures for capture in captures[partition]]
    rng.shuffle(arrivals)
    for number, (partition, capture) in enumerate(arrivals):
        load(partition, capture)
        if number % 5 == 4:
            build()
    held = Partition(WEEK, "OTCE")
    wrong = Capture(max(one.at for one in captures[held]) + timedelta(days=1), {})
    drive(observe(spoiled(held), held, wrong.at, "all"))
    assert sql("select tier from otc.held_partition") == [("OTCE",)]
    if seed % 3 == 0:
        accept(held)
        drive(*reconciled())
    keys = sql("select fetched_key, week_ending, tier from otc.capture order by week_ending, tier, observed_at")
    key, week, tier = rng.choice(keys)
    withdraw(sql, key, Partition(week, tier), wrong.at)
    assert build() > 0
    assert_without_overlap(sql)
    assert_ledger(sql)
    assert_only_what_is_asked_is_compared(sql)
    assert_effects(sql)
    assert_defined(sql, rng.sample(sorted(moments([*arrivals, (held, wrong)])), 10))
    assert build() == 0


def test_a_newest_capture_that_restates_continues_the_history(sql: Sql) -> None:
    """The ordinary week: nothing is built again, and the rows that changed are closed by their capture."""
    places = weeks(3, "T1")
    captures = {place: random_captures(random.Random(8), place) for place in places}
    for place, (first, *_) in captures.items():
        load(place, first)
    assert build() > 0
    later = sorted(((one, place) for place in places for one in captures[place][1:]), key=lambda pair: pair[0].at)
    assert len(later) > 3
    for number, (capture, place) in enumerate(later):
        load(place, Capture(LAST - timedelta(days=900 - number), capture.rows))
        assert build() == 0
    assert_without_overlap(sql)
    assert_defined(sql, [LAST, *(LAST - timedelta(days=900 - number) for number in range(-1, len(later)))])
    before = {metric: sql(f"select * from otc.{metric}_history order by 1::text, known_from") for metric in METRICS}
    assert any(row[-1] for rows in before.values() for row in rows)
    history.forget(resources.database(), date.min, date.max)
    assert sql("select count(*) from otc.symbol_summary_history") == [(0,)]
    assert build() > 0
    for metric, rows in before.items():
        assert set(map(str, sql(f"select * from otc.{metric}_history"))) == set(map(str, rows)), metric


def test_each_row_names_the_captures_that_opened_and_closed_it(sql: Sql) -> None:
    """Two tiers that are published at one moment are told apart by the row's tier or symbol."""
    t2, otce = weeks(1, "T2", "OTCE")
    due, late = due_at(WEEK, "T2"), due_at(WEEK, "T2") + timedelta(days=40)
    updated = due.date()
    load(t2, Capture(late, {("AAA", "AAAA"): (5, updated)}))
    load(otce, Capture(late + timedelta(hours=1), {("OOO", "AAAA"): (5, updated)}))
    load(otce, Capture(late + timedelta(days=2), {("OOO", "AAAA"): (8, updated)}))
    build()
    of_tier: dict[str, datetime] = dict(sql("select tier, min(observed_at) from otc.capture group by tier"))
    newest = sql("select capture_id from otc.capture order by observed_at desc limit 1")[0][0]
    for metric in ("symbol_summary", "symbol_concentration"):
        rows = sql(
            f"""
            select h.symbol, h.known_from, o.tier, o.observed_at, h.known_until, h.closed_by, h.certainty
            from otc.{metric}_history as h inner join otc.capture as o on o.capture_id = h.opened_by
            where h.scope = 'ATS' order by 1, 2
            """
        )
        expected: list[tuple[Any, ...]] = [("AAA", due, "T2", of_tier["T2"], None, None, "inferred")]
        if metric == "symbol_summary":
            restated = late + timedelta(days=2)
            expected += [
                ("OOO", due, "OTCE", of_tier["OTCE"], restated, newest, "inferred"),
                ("OOO", restated, "OTCE", restated, None, None, "observed"),
            ]
        else:
            expected += [("OOO", due, "OTCE", of_tier["OTCE"], None, None, "inferred")]
        assert rows == expected


def test_of_captures_that_are_known_since_one_moment_a_history_always_names_the_same(sql: Sql) -> None:
    """A website file and an answer of the API that came late are both known since their week's publication."""
    late = due_at(WEEK, "T1") + timedelta(days=100)
    for number, place in enumerate(weeks(6, "T1", "OTCE")):
        day, at = published_on(place.week_ending, place.tier), late + timedelta(hours=number)
        if place.tier == "OTCE":
            drive(observe(file_text([("A", "AAAA", 5 + number, 1)], place.tier, day), place, at, "ats"))
        row = {"issueSymbolIdentifier": "A", "totalWeeklyShareQuantity": 5 + number, "totalWeeklyTradeCount": 1}
        answer = api_text([{**row, "initialPublishedDate": day, "lastUpdateDate": day}], place)
        drive(observe(answer, place, at + timedelta(days=1), "all"))
    build()
    rows = sql(
        """
        select h.week_ending, h.opened_by, min(m.capture_id)
        from otc.symbol_rolling_avg_history as h
        inner join otc.capture as o on o.capture_id = h.opened_by and o.week_ending < h.week_ending
        inner join otc_internal.moments(h.week_ending - 35, h.week_ending) as m
            on m.at = h.known_from and m.week_ending = o.week_ending
        where m.symbol is null
        group by 1, 2, h.scope, h.known_from
        having count(distinct m.capture_id) = 2
        """
    )
    assert len({opened_by for _, opened_by, _ in rows}) > 3
    assert all(opened_by == least for _, opened_by, least in rows)


def test_the_command_builds_what_is_stale_or_all(sql: Sql, here: Here) -> None:
    load(weeks(1, "T1")[0], random_captures(random.Random(1), weeks(1, "T1")[0])[0])
    first = here("history")
    completed, built = (
        f"{len(DEFERRED)} week{'s' * (len(DEFERRED) > 1)} of deferred metrics were completed.\n",
        f"{len(METRICS) - len(DEFERRED)} weeks of histories were built.\n",
    )
    assert (first.returncode, first.stdout) == (0, completed + built)
    assert here("history").stdout == "All histories are up to date.\n"
    assert here("history", "--again", "--from", "2026-03-06").stdout == built
    assert here("history", "--again", "--from", "2026-03-16").stdout == "All histories are up to date.\n"
