"""Explain a number: the records behind it, their lines in stored objects, and the sum recomputed from the lines."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from otcpipe.audit.tracing import TracedRecord, trace
from otcpipe.errors import Invalid
from otcpipe.metrics import definitions, loaded, symbols
from otcpipe.storage.postgres import Database, Row, Transaction
from otcpipe.storage.s3 import ObjectStore

NOW = datetime.max.replace(tzinfo=UTC)
TOTALS = "symbol_summary"  # the metric whose sums are recomputed


@dataclass(frozen=True)
class Proof:
    """What the lines of one week, tier and scope add up to, and what the metric says."""

    week_ending: date
    tier: str
    scope: str
    lines: int
    shares: Decimal
    trades: int
    stored_shares: Decimal
    stored_trades: int

    @property
    def agrees(self) -> bool:
        """Whether the table holds the sums of the lines."""
        return (self.shares, self.trades) == (self.stored_shares, self.stored_trades)


@dataclass(frozen=True)
class Explanation:
    """The rows of a symbol's week as (metric, row), all records that enter them, and the proofs of their sums."""

    rows: list[tuple[str, Row]]
    records: list[TracedRecord]
    proofs: list[Proof]


def explain(
    database: Database,
    store: ObjectStore,
    prefix: str,
    symbol: str,
    week: date,
    metric: str | None,
    at: datetime | None = None,
) -> Explanation:
    """Trace a symbol's metrics of a week to raw lines, those of all weeks that the metrics look back on included.

    `metric` limits it to one metric; with `at`, all is as known then. Raises Invalid for an unknown metric or symbol,
    Damaged for damaged raw bytes.
    """
    with database.transaction() as transaction:
        chosen = _chosen(transaction, metric)
        first = week - max(one.lookahead_weeks for one in chosen) * definitions.WEEK
        rows = _rows(transaction, [one.name for one in chosen], symbol, week, week, at)
        records = transaction.rows("records_of", symbol=symbol, first=first, last=week, at=at or NOW)
        if not rows and not any(record["week_ending"] == week for record in records):
            raise Invalid(_absence(transaction, symbol, week, at))
        sums = [row for _, row in _rows(transaction, [TOTALS], symbol, first, week, at)]
    traced = trace(store, prefix, symbol, records)
    return Explanation(rows, traced, [_proof(row, traced) for row in sums])


def _chosen(transaction: Transaction, metric: str | None) -> list[definitions.Metric]:
    """Return the metrics that are by symbol and not deferred, which would need a year; or only the named one."""
    names = [one.name for one in definitions.metrics()]
    by_symbol = {row["metric"] for row in transaction.rows("by_symbol", metrics=names)}
    metric = metric and metric.casefold()
    if metric and metric not in by_symbol:
        why = "is by venue, not by symbol" if metric in names else "is not a metric"
        raise Invalid(f"{metric} {why}; choose from {', '.join(sorted(by_symbol))}.")
    metrics = definitions.metrics()
    return [
        one for one in metrics if (one.name == metric if metric else one.name in by_symbol and not one.is_deferred)
    ]


def _rows(
    transaction: Transaction, names: Sequence[str], symbol: str, first: date, last: date, at: datetime | None
) -> list[tuple[str, Row]]:
    """Return (metric, row) pairs, read as JSON so that numbers keep all their digits."""
    found = transaction.rows("metrics_of", metrics=list(names), symbol=symbol, first=first, last=last, at=at)
    return [(row["metric"], json.loads(row["stored"], parse_float=Decimal)) for row in found]


def _absence(transaction: Transaction, symbol: str, week: date, at: datetime | None) -> str:
    unknown = symbols.unknown(transaction, [symbol])
    if unknown:
        return symbols.sentence(symbol, unknown[symbol])
    loaded.require(transaction, week)
    known = "" if at is None else f" that was known at {at.isoformat(sep=' ')}"
    return f"{symbol!r} has no record in the week ending {week}{known}."


def _proof(row: Row, traced: Sequence[TracedRecord]) -> Proof:
    week = date.fromisoformat(row["week_ending"])
    lines = [
        one.line
        for one in traced
        if (one.record["week_ending"], one.record["tier"]) == (week, row["tier"])
        and row["scope"] in (one.record["venue_type"], "ALL")
        and one.line
    ]
    shares, trades = sum((line.shares for line in lines), Decimal(0)), sum(line.trades for line in lines)
    return Proof(
        week, row["tier"], row["scope"], len(lines), shares, trades, row["total_volume"], row["total_trades"]
    )
