"""A symbol's numbers with the lines of stored files behind them, as one object."""

from dataclasses import asdict
from datetime import date, datetime

from otcpipe.audit.explain import Explanation, explain
from otcpipe.audit.tracing import TracedRecord
from otcpipe.metrics import definitions
from otcpipe.storage.postgres import Database, Row
from otcpipe.storage.s3 import ObjectStore

OF_CAPTURE = ("capture_id", "source", "observed_at", "raw_key", "digest", "request_ids")


def proof(
    database: Database,
    store: ObjectStore,
    prefix: str,
    symbol: str,
    week: date,
    metric: str | None,
    at: datetime | None = None,
) -> Row:
    """Explain a symbol's week as one object, with `at` as known then; raises as `explain` does."""
    found = explain(database, store, prefix, symbol, week, metric, at)
    return as_object(symbol, found) | {"week_ending": week, "as_of": at}


def as_object(symbol: str, found: Explanation) -> Row:
    """Return metrics with their formulas, records with their lines, captures, and the proofs of the sums."""
    captures = {one.record["capture_id"]: _capture(one) for one in found.records}
    formulas = {metric.name: metric.formula for metric in definitions.metrics()}
    return {
        "symbol": symbol,
        "metrics": [{"metric": metric, "formula": formulas[metric]} | row for metric, row in found.rows],
        "records": [as_row(one) for one in found.records],
        "captures": list(captures.values()),
        "proofs": [asdict(proof) | {"agrees": proof.agrees} for proof in found.proofs],
    }


def _capture(one: TracedRecord) -> Row:
    return {name: one.record[name] for name in OF_CAPTURE} | {"header": one.line.header if one.line else None}


def as_row(one: TracedRecord) -> Row:
    """Return a record with its line, and whether the line has the record's shares and trades."""
    line = {"line": one.line.number, "text": one.line.text} if one.line else {"line": None, "text": None}
    kept = {name: value for name, value in one.record.items() if name != "request_ids"}
    return kept | line | {"agrees": one.is_proven}
