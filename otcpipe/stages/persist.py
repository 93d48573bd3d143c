"""Persist: bring a partition's records to what its captures say, in the order in which they were observed.

The tables follow from the set of captures and decisions. A capture that was observed before others that are applied
already goes to its place: the later ones are undone and applied again after it. One that is applied already changes
nothing, however often its stage runs.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.errors import Permanent
from otcpipe.metrics import definitions
from otcpipe.quality import grading, profile, reconciliation
from otcpipe.records import Normalized, Partition
from otcpipe.stages import apply, evidence
from otcpipe.stages.apply import Load
from otcpipe.storage import keys
from otcpipe.storage.postgres import Database, Row, Transaction


def persist(database: Database, capture_id: int, key: keys.Key, load: Load, now: datetime) -> dict[str, int]:
    """Bring a capture's rows into the tables; return the number of records that were opened or closed.

    Raises Permanent if the key does not follow from the capture, or if no row of it is a record although other
    captures of the partition have some.
    """
    rows = load(str(key))
    with database.transaction() as transaction:
        capture = transaction.rows("capture", capture_id=capture_id)[0]
        _check_origin(capture, key)
        partition = Partition(capture["week_ending"], capture["tier"])
        names = _prepare(database, transaction, capture, rows)
        found = transaction.rows("captures", **asdict(partition))
        applied = [(row["capture_id"], row["normalized_key"]) for row in found if row["persisted_at"]]
        if next(row for row in found if row["capture_id"] == capture_id)["normalized_key"] != str(key):
            _note(transaction, capture, key, rows)
            found = transaction.rows("captures", **asdict(partition))
        wanted = counting(found)
        work = _Work(transaction, names, {str(key): rows}, load, now)
        changed = work.bring(found, applied, wanted)
    is_applied = any(row["capture_id"] == capture_id for row in wanted)
    if not (is_applied or rows.records.num_rows or capture["is_withdrawn"]):
        raise Permanent("No row of the capture is a record; the records that are there stay as they are.")
    return {"records changed": changed}


def counting(captures: Sequence[Row]) -> list[Row]:
    """Return the captures that count, in order: noted and not withdrawn.

    One without any record counts only where no other has one: an empty answer must not withdraw all records.
    """
    noted = [row for row in captures if row["normalized_key"] and not row["is_withdrawn"]]
    return [row for row in noted if row["records"]] or noted


def _check_origin(capture: Row, key: keys.Key) -> None:
    """Raise Permanent unless the normalized key follows from the capture's bytes, by any version of the code."""
    raw = keys.parse(capture["raw_key"], key.prefix)
    if raw.partition != key.partition or not evidence.follows(raw, str(key)):
        raise Permanent(f"{key} does not follow from capture {capture['capture_id']}, whose bytes are {raw}.")


def _prepare(database: Database, transaction: Transaction, capture: Row, rows: Normalized) -> pa.Table:
    """Lock the partition and return all names.

    Names and the quarter's table are committed first, so that no other partition waits for this transaction.
    """
    with database.transaction() as first:
        first.rows("create_quarter", week_ending=capture["week_ending"])
        names = apply.add_names(first, rows.records)
    transaction.rows("lock_partition", week_ending=capture["week_ending"], tier=capture["tier"])
    transaction.run("use_records")
    transaction.rows("plan_for_a_week")
    return names


def _note(transaction: Transaction, capture: Row, key: keys.Key, rows: Normalized) -> None:
    """Keep what became of the capture's rows: counts, reconciliation and rejects."""
    account = reconciliation.account(rows) | {"newest_update": pc.max(rows.records["updated_on"]).as_py()}
    transaction.run("note_rows", capture_id=capture["capture_id"], normalized_key=str(key), **account)
    transaction.run("drop_rejects", raw_key=capture["raw_key"])
    place = {"raw_key": capture["raw_key"], "week_ending": capture["week_ending"], "tier": capture["tier"]}
    columns = {name: pa.repeat(pa.scalar(value), rows.rejects.num_rows) for name, value in place.items()}
    transaction.copy(
        "copy_rejects", pa.table(columns | {name: rows.rejects[name] for name in rows.rejects.column_names})
    )


class _Work:
    """Brings one partition from the captures that are applied to those that are wanted."""

    def __init__(
        self, transaction: Transaction, names: pa.Table, at_hand: dict[str, Normalized], load: Load, now: datetime
    ) -> None:
        self._transaction = transaction
        self._names = names
        self._at_hand = at_hand
        self._load = load
        self._now = now

    def bring(self, captures: Sequence[Row], applied: Sequence[tuple[int, str]], wanted: Sequence[Row]) -> int:
        """Undo captures from the first that differs on, apply the wanted ones; return how many records changed."""
        aim = [(row["capture_id"], row["normalized_key"]) for row in wanted]
        start = next((at for at, (one, other) in enumerate(zip(applied, aim, strict=False)) if one != other), None)
        start = min(len(applied), len(aim)) if start is None else start
        aside = [row for row in captures if row["normalized_key"] and row not in wanted]
        is_same = start == len(applied) == len(aim)
        if is_same and not grading.unmeasured(self._transaction, [row["capture_id"] for row in aside]):
            return 0
        transaction, partition = self._transaction, Partition(captures[0]["week_ending"], captures[0]["tier"])
        loaded = transaction.rows("is_loaded", **asdict(partition))
        undone = _undo_captures(transaction, partition, [number for number, _ in applied[start:]])
        changed = self._apply(wanted, start)
        transaction.run("set_applied", **asdict(partition), captures=[number for number, _ in aim], now=self._now)
        for row in aside:
            grading.store_measures(transaction, row, profile.of(self._rows(row).records), self._now)
        grading.regrade(transaction, partition, self._now)
        is_remade = len(applied) > start  # its rejects may name other symbols, on which metrics depend
        if is_remade or changed or transaction.rows("is_loaded", **asdict(partition)) != loaded:
            definitions.mark_due(transaction, partition.week_ending)
        return undone + changed

    def _apply(self, wanted: Sequence[Row], start: int) -> int:
        changed, covers_all = 0, any(row["covers"] == "all" for row in wanted[:start])
        for at, row in enumerate(wanted[start:], start):
            covers_all |= row["covers"] == "all"
            rows = self._rows(row)
            before = wanted[at - 1] if at else None
            changed += apply.apply(self._transaction, self._names, row, rows, before, self._load)
            records = rows.records if row["covers"] == "all" else self._current(row)
            measured = profile.of(records) | {"covers_all": covers_all}
            grading.store_measures(self._transaction, row, measured, self._now)
        return changed

    def _rows(self, capture: Row) -> Normalized:
        key = capture["normalized_key"]
        return self._at_hand[key] if key in self._at_hand else self._load(key)

    def _current(self, capture: Row) -> pa.Table:
        place = {"week_ending": capture["week_ending"], "tier": capture["tier"]}
        return self._transaction.table("current_records", **place)


def _undo_captures(transaction: Transaction, partition: Partition, captures: list[int]) -> int:
    """Remove the records that the captures opened, open again those that they closed; return how many those are."""
    if not captures:
        return 0
    removed = transaction.run("delete_opened", **asdict(partition), captures=captures)
    return removed + transaction.run("reopen_closed", **asdict(partition), captures=captures)
