"""The share of all trading: by tape of the market, and by symbol, against plain Python."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from otcpipe import resources
from otcpipe.export import Request, export
from otcpipe.metrics import catalog, definitions
from otcpipe.metrics.history import build
from otcpipe.pipeline.volumes.imports import CONSOLIDATED, MARKET
from otcpipe.stages.compute import compute
from tests.metrics.examples import WEEK, ats, firm, matching, only, told
from tests.metrics.generate import History, history
from tests.metrics.load import load, ordered, tables
from tests.metrics.records import Loaded, Record, Row, groups, matches, of_scope, rounded, trading_days, volume
from tests.pipeline.volumes.samples import Traded, market_file, sessions, traded, volume_file
from tests.pipeline.volumes.test_imports import moment, put

pytestmark = pytest.mark.usefixtures("environment")
TAPES = {"A": "A", "B": "B", "AB": "AB", "C": "C", "ALL": "ABC"}
PRODUCTS: dict[str, set[str | None]] = {"AB": {"CTS"}, "C": {"UTP"}, "ALL": {"CTS", "UTP", None}}
LONG_AFTER = datetime(2026, 11, 1, tzinfo=UTC)


class Volume(NamedTuple):
    """A row of a file of consolidated volume."""

    symbol: str
    day: date
    shares: Decimal


def of_market(rows: list[Traded], made: History) -> Iterator[Row]:
    for week in sorted({week for week, _ in made.loaded}):
        own = [row for row in rows if week - timedelta(days=4) <= row.day <= week + timedelta(days=2)]
        for tape, parts in TAPES.items():
            sums = [
                sum((row.shares["ABC".index(part)] for row in members for part in parts), Decimal(0))
                for members in (own, [row for row in own if row.code.startswith("D")])
            ]
            if own:
                yield _market(week, tape, sums, len({row.day for row in own}), made)


def _market(week: date, tape: str, sums: list[Decimal], days: int, made: History) -> Row:
    consolidated, off_exchange = (Fraction(one) for one in sums)
    members = [record for record in made.records if record.week_ending == week and record.tier in ("T1", "T2")]
    is_whole = all((week, tier) in made.loaded for tier in ("T1", "T2")) and days == trading_days(week)
    is_typed = all(record.product_type for record in members)
    is_known = is_whole and (tape == "ALL" or (tape in PRODUCTS and is_typed))
    covers_all = is_known and all(made.loaded[week, tier] == "all" for tier in ("T1", "T2"))
    own = [record for record in members if record.product_type in PRODUCTS.get(tape, ())]
    ats_volume = volume(of_scope(own, "ATS")) if is_known else None
    other = volume(of_scope(own, "NON_ATS")) if covers_all else None
    return {
        "week_ending": week,
        "tape": tape,
        "consolidated_volume": rounded(consolidated, 6),
        "off_exchange_volume": rounded(off_exchange, 6),
        "off_exchange_share_pct": _percent(off_exchange, consolidated, 4),
        "ats_volume": None if ats_volume is None else rounded(ats_volume, 6),
        "non_ats_volume": None if other is None else rounded(other, 6),
        "ats_share_pct": _percent(ats_volume, consolidated, 4),
        "non_ats_share_pct": _percent(other, consolidated, 4),
        "finra_difference_pct": None
        if ats_volume is None or other is None
        else _percent(ats_volume + other - off_exchange, off_exchange, 4),
        "days_present": days,
        "trading_days": trading_days(week),
    }


def of_symbols(rows: list[Volume], records: list[Record], loaded: Loaded) -> Iterator[Row]:
    shares = {
        key: found
        for key, members in groups(records, "week_ending", "symbol")
        if key[1] is not None and (found := _shares(key, members, rows, loaded))
    }
    for (week, symbol), (total, own, ats_volume) in shares.items():
        before = shares.get((week - timedelta(days=7), symbol))
        yield {
            "week_ending": week,
            "symbol": symbol,
            "source": "S",
            "consolidated_volume": rounded(total, 6),
            "off_exchange_volume": rounded(own, 6),
            "ats_volume": rounded(ats_volume, 6),
            "off_exchange_share_pct": _percent(own, total, 4),
            "ats_share_pct": _percent(ats_volume, total, 4),
            "is_above_100": own > total,
            "jump_factor": _jump(own, total, before),
            "trading_days": trading_days(week),
        }


def _shares(
    key: tuple[date, str], members: list[Record], rows: list[Volume], loaded: Loaded
) -> tuple[Fraction, Fraction, Fraction] | None:
    week, symbol = key
    days = [row for row in rows if row.symbol == symbol and week - timedelta(days=4) <= row.day <= week]
    is_known = all(matches(loaded[week, record.tier], "ALL") for record in members)
    if len(days) < trading_days(week) or not is_known:
        return None
    return Fraction(sum((row.shares for row in days), Decimal(0))), volume(members), volume(of_scope(members, "ATS"))


def _jump(own: Fraction, total: Fraction, before: tuple[Fraction, Fraction, Fraction] | None) -> int | None:
    if not before or not (own and total and before[0] and before[1]):
        return None
    factor = (own / total) / (before[1] / before[0])
    factor = max(factor, 1 / factor)
    nearest = int(rounded(factor, 0))
    return nearest if 2 <= nearest <= 1000 and abs(factor - nearest) <= Fraction(nearest, 50) else None


def _percent(part: Fraction | None, whole: Fraction, places: int) -> Decimal | None:
    return None if part is None or not whole else rounded(100 * part / whole, places)


def computed() -> None:
    """Compute what the imports made due, as the command does."""
    with resources.database().transaction() as transaction:
        due = transaction.connection.execute("select distinct week_ending from otc_internal.metric_due").fetchall()
    for row in sorted(due, key=lambda one: one["week_ending"]):
        compute(resources.database(), row["week_ending"])


@pytest.mark.parametrize("seed", [0, 1, 2, 4])
def test_the_tables_are_the_references_row_for_row(seed: int) -> None:
    made, random = history(seed), Random(seed)
    weeks = sorted({week for week, _ in made.loaded})
    first, last = weeks[0] - timedelta(days=4), weeks[-1] + timedelta(days=2)
    rows = [row for row in traded(first, last, seed) if random.random() < 0.98 or row.code.startswith("D")]
    symbols = sorted({record.symbol for record in made.records if record.symbol})
    volumes = [
        Volume(symbol, day, Decimal(random.choice([0, 100, 100, 4_000, 1_234_567])) / 4)
        for symbol in symbols
        for day in sessions(first, last)
        if random.random() < 0.98
    ]
    put(MARKET, market_file(rows[: len(rows) // 2]), 0)
    load(made, seed)
    put(MARKET, market_file(rows), 1)
    put(CONSOLIDATED, volume_file(volumes), 1, "S")
    computed()
    found = tables()
    market = list(of_market(rows, made))
    assert found["market_share"] == ordered(market)
    assert found["off_exchange_share"] == ordered(of_symbols(volumes, made.records, made.loaded))
    known = tables(LONG_AFTER)
    assert {name: known[name] for name in ("market_share", "off_exchange_share")} == {
        name: found[name] for name in ("market_share", "off_exchange_share")
    }
    assert not tables(datetime(2025, 11, 30, tzinfo=UTC))["market_share"]


def test_a_vendor_who_adjusts_for_a_split_is_flagged() -> None:
    later = WEEK + timedelta(days=7)
    load(told([firm("ABC", 400), firm("ABC", 1600, week_ending=later), firm("OVER", 900, week_ending=later)]))
    days = list(sessions(WEEK - timedelta(days=4), later))
    rows = [
        (symbol, day, 800) for symbol in ("ABC",) for day in days
    ]  # the first week was 200 a day, and is adjusted
    put(CONSOLIDATED, volume_file([*rows, *[("OVER", day, 100) for day in days]]), 0, "S")
    computed()
    found = tables()["off_exchange_share"]
    assert [row["off_exchange_share_pct"] for row in matching(found, symbol="ABC")] == [10, 40]
    assert [row["jump_factor"] for row in matching(found, symbol="ABC")] == [None, 4]
    assert only(found, symbol="OVER")["is_above_100"]


def test_both_metrics_wait_for_no_records() -> None:
    for name in ("market_share", "off_exchange_share"):
        assert not definitions.named(name).needs_records


def test_the_whole_week_is_compared_with_records_only_where_no_day_is_missing() -> None:
    load(told([ats("ABC", 10, product_type="UTP"), ats("ABC", 20, tier="T2", product_type="CTS")]))
    days = list(sessions(WEEK - timedelta(days=4), WEEK))
    rows = [
        Traded(day, name, (Decimal(4), Decimal(0), Decimal(4))) for day in days for name in ("NYSE (N)", "TRF (DN)")
    ]
    put(MARKET, market_file(rows[:-2]), 0)
    computed()
    whole = only(tables()["market_share"], tape="ALL")
    assert (whole["days_present"], whole["off_exchange_share_pct"], whole["ats_share_pct"]) == (4, 50, None)
    put(MARKET, market_file(rows), 1)
    computed()
    found = {row["tape"]: row["ats_share_pct"] for row in tables()["market_share"]}
    assert found == {"A": None, "B": None, "AB": 50, "C": 25, "ALL": Decimal("37.5")}


MOMENTS = [datetime(2025, 12, 1, tzinfo=UTC) + timedelta(hours=12 * number) for number in range(60)]


@pytest.mark.parametrize("metric", ["market_share", "off_exchange_share"])
def test_the_history_at_any_moment_is_the_metric_as_of_it(
    metric: str, sql: Callable[..., list[tuple[Any, ...]]]
) -> None:
    later = WEEK + timedelta(days=7)
    load(told([firm("ABC", 400), ats("ABC", 20, tier="T2"), firm("ABC", 90, week_ending=later)]))
    first, last = WEEK - timedelta(days=4), later
    rows = traded(first, last)
    volumes = [("ABC", day, 300) for day in sessions(first, last)]
    put(MARKET, market_file(rows), 1)
    put(CONSOLIDATED, volume_file(volumes), 2, "S")
    put(MARKET, market_file(rows[3:]), 25)
    put(CONSOLIDATED, volume_file([("ABC", WEEK, 7)]), 26, "S")
    computed()
    build(resources.database(), [metric])
    shown = ", ".join(catalog.table(metric).names)
    seen = set()
    for at in MOMENTS:
        known = sql(f"select {shown} from otc.{metric}_as_of(%s) order by 1, 2", at)
        of_history = sql(
            f"select {shown} from otc.{metric}_history"
            " where known_from <= %s and (known_until > %s or known_until is null) order by 1, 2",
            at,
            at,
        )
        assert of_history == known
        seen.add(str(known))
    assert len(seen) >= 3


@pytest.mark.parametrize("metric", ["market_share", "off_exchange_share"])
def test_an_exported_row_is_available_from_its_import_on(metric: str, tmp_path: Path) -> None:
    load(told([firm("ABC", 400), ats("ABC", 20, tier="T2")]))
    days = list(sessions(WEEK - timedelta(days=4), WEEK))
    put(MARKET, market_file(traded(days[0], WEEK)), 25)
    put(CONSOLIDATED, volume_file([("ABC", day, 300) for day in days]), 25, "S")
    computed()
    export(resources.database(), Request(metric, "parquet", tmp_path, is_single_file=True), lambda *_: None)
    table = pq.ParquetFile(tmp_path / metric / f"{metric}.parquet").read()
    assert {*table["available_at"].to_pylist()} == {moment(25)}
    assert "Cboe" in table.schema.metadata[b"attribution"].decode() or "source" in table.column_names
