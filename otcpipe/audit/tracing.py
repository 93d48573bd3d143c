"""Trace records back to the lines of stored objects that they came from."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from otcpipe.audit import raw_lines
from otcpipe.audit.raw_lines import Line
from otcpipe.storage import keys, raw_bytes
from otcpipe.storage.postgres import Row
from otcpipe.storage.s3 import ObjectStore

AT_ONCE = 2  # raw objects, of some 40 MB each


@dataclass(frozen=True)
class TracedRecord:
    """A current record with its capture, and the line it came from; None if no line matches it."""

    record: Row
    line: Line | None

    @property
    def is_proven(self) -> bool:
        """Whether the line has the record's shares and trades."""
        line, record = self.line, self.record
        return line is not None and (line.shares, line.trades) == (record["share_volume"], record["trade_count"])


def trace(store: ObjectStore, prefix: str, symbol: str, records: Sequence[Row]) -> list[TracedRecord]:
    """Pair a symbol's records with their lines, in the order of weeks, raw objects and lines.

    Raises Damaged for damaged raw bytes.
    """
    with ThreadPoolExecutor(AT_ONCE) as threads:
        traced = threads.map(partial(_traced, store, prefix, symbol), _by_raw_key(records))
        return [one for of_raw in traced for one in of_raw]


def _by_raw_key(records: Sequence[Row]) -> list[list[Row]]:
    ordered = sorted(records, key=lambda record: (record["week_ending"], record["raw_key"]))
    return [list(of_raw) for _, of_raw in groupby(ordered, key=lambda record: record["raw_key"])]


def _traced(store: ObjectStore, prefix: str, symbol: str, records: Sequence[Row]) -> list[TracedRecord]:
    """Pair each record with the first line that matches: a later line of the same identity was rejected."""
    content = raw_bytes.proven(store, keys.parse(records[0]["raw_key"], prefix))
    found = raw_lines.of_symbol(content, symbol)
    traced = [
        TracedRecord(record, next((line for line in found if line.matches(record)), None)) for record in records
    ]
    return sorted(traced, key=lambda one: one.line.number if one.line else 0)
