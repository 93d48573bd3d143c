"""Persist: make a partition's records follow from its captures, in the order of observation.

The tables depend only on the set of captures and decisions. If a capture was observed before others that are already
applied, the later ones are undone and reapplied after it. A capture that is already applied changes nothing, however
often its stage runs.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.errors import Permanent
from otcpipe.records import Partition
from otcpipe.stages import apply, evidence
from otcpipe.stages.apply import Load
from otcpipe.stages.replay import Replay
from otcpipe.storage import arrow, keys
from otcpipe.storage.postgres import Database, Row, Transaction
from otcpipe.text.tables import Normalized


def persist(database: Database, capture_id: int, key: keys.Key, load: Load, now: datetime) -> dict[str, int]:
    """Apply a capture's rows to the tables; return the number of records that were opened or closed.

    Raises Permanent if the key does not follow from the capture, or if none of its rows is a record although other
    captures of the partition have records.
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
            _store_account(transaction, capture, key, rows)
            found = transaction.rows("captures", **asdict(partition))
        effective = effective_captures(found)
        changed = Replay(transaction, names, {str(key): rows}, load, now).run(found, applied, effective)
    is_applied = any(row["capture_id"] == capture_id for row in effective)
    if not (is_applied or rows.records.num_rows or capture["is_withdrawn"]):
        raise Permanent("No row of the capture is a record; the existing records are unchanged.")
    return {"records changed": changed}


def effective_captures(captures: Sequence[Row]) -> list[Row]:
    """Return the captures that the records follow from, in order: normalized and not withdrawn.

    A capture without records is left out if another has some: an empty answer must not withdraw all records.
    """
    normalized = [row for row in captures if row["normalized_key"] and not row["is_withdrawn"]]
    return [row for row in normalized if row["records"]] or normalized


def _check_origin(capture: Row, key: keys.Key) -> None:
    """Raise Permanent unless the normalized key follows from the capture's bytes, by any version of the code."""
    raw = keys.parse(capture["raw_key"], key.prefix)
    if raw.partition != key.partition or not evidence.follows(raw, str(key)):
        raise Permanent(f"{key} does not follow from capture {capture['capture_id']}, whose bytes are in {raw}.")


def _prepare(database: Database, transaction: Transaction, capture: Row, rows: Normalized) -> pa.Table:
    """Lock the partition and return all names, also those of captures that were persisted while this one waited.

    Its own names and the quarter's table are committed first, so that no other partition waits for this transaction.
    """
    with database.transaction() as first:
        first.rows("create_quarter", week_ending=capture["week_ending"])
        apply.add_names(first, rows.records)
    transaction.rows("lock_partition", week_ending=capture["week_ending"], tier=capture["tier"])
    transaction.run("use_records")
    transaction.rows("plan_for_a_week")
    return apply.load_names(transaction)


def _store_account(transaction: Transaction, capture: Row, key: keys.Key, rows: Normalized) -> None:
    """Store the account of the capture's rows: counts, reconciliation and rejects."""
    account = evidence.account(rows, key.partition) | {"newest_update": pc.max(rows.records["updated_on"]).as_py()}
    transaction.run("note_rows", capture_id=capture["capture_id"], normalized_key=str(key), **account)
    transaction.run("drop_rejects", raw_key=capture["raw_key"])
    place = {"raw_key": capture["raw_key"], "week_ending": capture["week_ending"], "tier": capture["tier"]}
    columns = {name: pa.repeat(pa.scalar(value), rows.rejects.num_rows) for name, value in place.items()}
    columns |= {name: rows.rejects[name] for name in rows.rejects.column_names}
    arrow.copy(transaction, "copy_rejects", pa.table(columns))
