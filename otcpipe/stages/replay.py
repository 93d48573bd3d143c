"""Undo and reapply the captures of one partition, so that they are applied in the order of observation."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.metrics import definitions
from otcpipe.quality import grading, profile
from otcpipe.records import Partition
from otcpipe.stages import apply, normalize
from otcpipe.stages.apply import Load
from otcpipe.storage import arrow
from otcpipe.storage.postgres import Row, Transaction
from otcpipe.text.tables import Normalized


@dataclass(frozen=True)
class Replay:
    """The replay of one partition's captures, in a transaction that has locked the partition."""

    transaction: Transaction
    names: pa.Table  # as `apply.load_names` returns them
    loaded: Mapping[str, Normalized]  # by normalized key; other keys are loaded with `load`
    load: Load
    now: datetime

    def run(self, captures: Sequence[Row], applied: Sequence[tuple[int, str]], effective: Sequence[Row]) -> int:
        """Undo `applied` from the first difference to `effective` on, and apply the rest of `effective`.

        `applied` holds (capture_id, normalized_key). Returns how many records changed.
        """
        target = [(row["capture_id"], row["normalized_key"]) for row in effective]
        start = _common_length(applied, target)
        ineffective = [row for row in captures if row["normalized_key"] and row not in effective]
        is_same = start == len(applied) == len(target)
        if is_same and not grading.unmeasured(self.transaction, [row["capture_id"] for row in ineffective]):
            return 0
        transaction, partition = self.transaction, Partition(captures[0]["week_ending"], captures[0]["tier"])
        was_loaded = transaction.rows("is_loaded", **asdict(partition))
        reverted = _undo_captures(transaction, partition, [capture_id for capture_id, _ in applied[start:]])
        changed = self._apply(effective, start)
        ids = [capture_id for capture_id, _ in target]
        transaction.run("set_applied", **asdict(partition), captures=ids, now=self.now)
        for row in ineffective:
            grading.store_measures(transaction, row, profile.of(self._rows(row).records), self.now)
        grading.regrade(transaction, partition, self.now)
        has_undone = len(applied) > start  # rejects may name other symbols now, on which metrics depend
        if has_undone or changed or transaction.rows("is_loaded", **asdict(partition)) != was_loaded:
            definitions.mark_due(transaction, partition.week_ending)
        return reverted + changed

    def _apply(self, effective: Sequence[Row], start: int) -> int:
        changed, covers_all = 0, any(row["covers"] == "all" for row in effective[:start])
        for at, row in enumerate(effective[start:], start):
            covers_all |= row["covers"] == "all"
            rows = self._rows(row)
            previous = effective[at - 1] if at else None
            changed += apply.apply(self.transaction, self.names, row, rows, previous, self.load)
            self._note_late(row, None if at else normalize.late(rows.records, row["published_on"]))
            records = rows.records if row["covers"] == "all" else self._current_records(row)
            measured = profile.of(records) | {"covers_all": covers_all}
            grading.store_measures(self.transaction, row, measured, self.now)
        return changed

    def _note_late(self, capture: Row, late: pa.Table | None) -> None:
        """Note the symbols whose records may not be known since the partition is; null for all that were opened."""
        symbols, dated = None, list[str]()
        if late is not None:
            own_day = pc.not_equal(late["published_on"], capture["published_on"])
            symbols, dated = _distinct(late["symbol"]), _distinct(late.filter(own_day)["symbol"])
        values = {"capture_id": capture["capture_id"], "symbols": symbols, "dated": dated}
        self.transaction.run("note_late_symbols", **values)

    def _rows(self, capture: Row) -> Normalized:
        key = capture["normalized_key"]
        return self.loaded[key] if key in self.loaded else self.load(key)

    def _current_records(self, capture: Row) -> pa.Table:
        partition = {name: capture[name] for name in ("week_ending", "tier")}
        return arrow.table(self.transaction, "current_records", **partition)


def _distinct(symbols: pa.ChunkedArray) -> list[str]:
    found: list[str] = symbols.unique().drop_null().sort().to_pylist()
    return found


def _common_length(applied: Sequence[tuple[int, str]], target: Sequence[tuple[int, str]]) -> int:
    """Return how many captures both sequences begin with."""
    differs = (at for at, (one, other) in enumerate(zip(applied, target, strict=False)) if one != other)
    return next(differs, min(len(applied), len(target)))


def _undo_captures(transaction: Transaction, partition: Partition, captures: list[int]) -> int:
    """Delete the records that the captures opened and reopen those that they closed; return how many changed."""
    if not captures:
        return 0
    deleted = transaction.rows("delete_opened", **asdict(partition), captures=captures)[0]["deleted"]
    return int(deleted) + transaction.run("reopen_closed", **asdict(partition), captures=captures)
