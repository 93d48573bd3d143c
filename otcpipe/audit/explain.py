"""A number, the records behind it, the lines of stored objects that they came from, and the sum made again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby

from otcpipe.audit import raw_lines
from otcpipe.audit.raw_lines import Line
from otcpipe.errors import Invalid
from otcpipe.metrics import definitions
from otcpipe.stages import evidence
from otcpipe.storage import keys
from otcpipe.storage.postgres import Database, Row, Transaction
from otcpipe.storage.s3 import ObjectStore

TOTALS = "symbol_summary"  # whose sums are made again


@dataclass(frozen=True)
class TracedRecord:
    """A current record with the capture that brought it, and its line; none where no line tells it."""

    record: Row
    line: Line | None

    @property
    def is_proven(self) -> bool:
        line, record = self.line, self.record
        return line is not None and (line.shares, line.trades) == (record["share_volume"], record["trade_count"])


@dataclass(frozen=True)
class Proof:
    """What the lines of one week, tier and scope add up to, and what the table says."""

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
        return (self.shares, self.trades) == (self.stored_shares, self.stored_trades)


@dataclass(frozen=True)
class Explanation:
    """The metrics' rows of a symbol's week by metric, all that enters them, and its proof."""

    rows: list[tuple[str, Row]]
    told: list[TracedRecord]
    proofs: list[Proof]


def explain(
    database: Database, store: ObjectStore, prefix: str, symbol: str, week: date, metric: str | None
) -> Explanation:
    """Raises Invalid for a metric or a symbol that is not there, Damaged where raw bytes are."""
    with database.transaction() as transaction:
        chosen = _chosen(transaction, metric)
        first = week - max(one.lookahead_weeks for one in chosen) * definitions.WEEK
        rows = _rows(transaction, [one.name for one in chosen], symbol, week, week)
        records = transaction.rows("records_of", symbol=symbol, first=first, last=week)
        if not rows and not any(record["week_ending"] == week for record in records):
            raise Invalid(_absence(transaction, symbol, week))
        sums = [row for _, row in _rows(transaction, [TOTALS], symbol, first, week)]
    told = [one for of_raw in _by_raw_key(records) for one in _told(store, prefix, symbol, of_raw)]
    return Explanation(rows, told, [_proof(row, told) for row in sums])


def _chosen(transaction: Transaction, metric: str | None) -> list[definitions.Metric]:
    """The metrics that are by symbol, or the one of them that is named."""
    names = [one.name for one in definitions.metrics()]
    by_symbol = {row["metric"] for row in transaction.rows("by_symbol", metrics=names)}
    if metric and metric not in by_symbol:
        why = "is by venue, not by symbol" if metric in names else "is not a metric"
        raise Invalid(f"{metric} {why}; choose from {', '.join(sorted(by_symbol))}.")
    return [one for one in definitions.metrics() if one.name in ({metric} if metric else by_symbol)]


def _rows(
    transaction: Transaction, names: Sequence[str], symbol: str, first: date, last: date
) -> list[tuple[str, Row]]:
    """Rows as JSON tells them, whose numbers keep all their digits."""
    found = transaction.rows("metrics_of", metrics=list(names), symbol=symbol, first=first, last=last)
    return [(row["metric"], json.loads(row["stored"], parse_float=Decimal)) for row in found]


def _absence(transaction: Transaction, symbol: str, week: date) -> str:
    similar = [row["symbol"] for row in transaction.rows("similar_symbols", symbol=symbol, week=week)]
    hint = f"; symbols have their own case: try {' or '.join(similar)}" if similar else ""
    return f"{symbol!r} has no record in the week ending {week}{hint}."


def _by_raw_key(records: Sequence[Row]) -> list[list[Row]]:
    ordered = sorted(records, key=lambda record: (record["week_ending"], record["raw_key"]))
    return [list(of_raw) for _, of_raw in groupby(ordered, key=lambda record: record["raw_key"])]


def _told(store: ObjectStore, prefix: str, symbol: str, records: Sequence[Row]) -> list[TracedRecord]:
    """The first line that tells a record is its own: a later one of the same identity was set aside."""
    content = evidence.content(store, keys.parse(records[0]["raw_key"], prefix))
    found = raw_lines.of_symbol(content, symbol)
    told = [TracedRecord(record, next((line for line in found if line.matches(record)), None)) for record in records]
    return sorted(told, key=lambda one: one.line.number if one.line else 0)


def _proof(row: Row, told: Sequence[TracedRecord]) -> Proof:
    week = date.fromisoformat(row["week_ending"])
    behind = [
        one.line
        for one in told
        if (one.record["week_ending"], one.record["tier"]) == (week, row["tier"])
        and row["scope"] in (one.record["venue_type"], "ALL")
        and one.line
    ]
    shares, trades = sum((line.shares for line in behind), Decimal(0)), sum(line.trades for line in behind)
    return Proof(
        week, row["tier"], row["scope"], len(behind), shares, trades, row["total_volume"], row["total_trades"]
    )
