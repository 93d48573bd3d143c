"""Captures and their records: what each capture changed, in the order of observation."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe import exchange, grading, metrics, totals
from otcpipe.equality import apart
from otcpipe.errors import Damaged, Permanent
from otcpipe.keys import Key
from otcpipe.records import RECORD, Manifest, Normalized, Partition
from otcpipe.warehouse import Row, Transaction, Warehouse
from otcpipe.weeks import published_on

KEY = ("symbol", "mpid", "firm_crd")  # within a partition, as the index of current records has it
QUANTITIES = ("share_volume", "trade_count", "notional")
FEW = 1_000  # rows, which are sought one by one in no time
TOLD = tuple(name for name in RECORD.names if name not in ("line", "summary_type"))  # the venue's type says as much
Load = Callable[[str], Normalized]  # a normalized key's rows


class _OfNoHelp(Exception):
    """To know the capture before: the tables hold something else, or too many rows changed to seek each."""


def add_capture(warehouse: Warehouse, fetched: Key, raw: Key, manifest: Manifest, added_columns: list[str]) -> int:
    """Note an observation; the same one given again is the same capture."""
    values = asdict(manifest) | {
        "request_ids": list(manifest.request_ids),
        "added_columns": added_columns,
        "published_on": published_on(raw.partition.week_ending, raw.partition.tier),
    }
    with warehouse.transaction() as transaction:
        transaction.run("add_trading_week", **_trading_week(raw.partition.week_ending))
        transaction.run("add_capture", **asdict(raw.partition), fetched_key=str(fetched), raw_key=str(raw), **values)
        return int(transaction.rows("capture_of", fetched_key=str(fetched))[0]["capture_id"])


def _trading_week(week: date) -> Row:
    days, half_days = exchange.trading_days(week), exchange.half_days(week)
    return {"week_ending": week, "trading_days": len(days), "half_days": len(half_days)}


def persist(warehouse: Warehouse, capture_id: int, key: str, load: Load, now: datetime) -> dict[str, int]:
    """Bring a capture's rows into the tables; the counts of records that came and that ended.

    A capture that was observed before others that are in already goes to its place: the later ones are taken back
    and applied again after it, so that the order of arrival leaves no trace.
    """
    rows = load(key)
    with warehouse.transaction() as transaction:
        capture = transaction.row("capture", capture_id=capture_id)
        if capture is None:  # as after a restore from a backup
            raise Permanent(f"Postgres has no capture {capture_id}: `otcpipe reconcile` finds what it lost.")
        partition = {"week_ending": capture["week_ending"], "tier": capture["tier"]}
        names = _prepare(warehouse, transaction, capture, rows)
        capture = transaction.rows("capture", capture_id=capture_id)[0]  # as it is now that the partition is ours
        if not rows.records.num_rows and transaction.rows("has_current", **partition)[0]["has_current"]:
            raise Permanent("No row of the capture is a record; the records that are there stay as they are.")
        later = transaction.rows("later_captures", capture_id=capture_id)
        if later and capture["normalized_key"] == key:
            return {"came": 0, "ended": 0}
        loaded = transaction.rows("is_loaded", **partition)
        _set_persisted(transaction, capture, key, rows, now)
        made_anew = [capture_id] if capture["normalized_key"] not in (None, key) else []  # by newer code
        _take_back(transaction, partition, made_anew + [row["capture_id"] for row in later])
        counts = apply(transaction, names, capture, key, rows, load)
        told = rows
        for row in later:
            told = load(row["normalized_key"])
            apply(transaction, names, row, row["normalized_key"], told, load)
        place = Partition(**partition)
        if later or any(counts.values()) or not grading.is_judged(transaction, place, capture["digest"]):
            covers = (later or [capture])[-1]["covers"]  # what covers all is all that is current
            grading.grade(transaction, place, now, told.records if covers == "all" else None)
        if later or any(counts.values()) or transaction.rows("is_loaded", **partition) != loaded:
            metrics.mark_due(transaction, capture["week_ending"])
        return counts


def _take_back(transaction: Transaction, partition: Row, captures: list[int]) -> None:
    if captures:
        transaction.run("drop_brought_by", **partition, captures=captures)
        transaction.run("revive_ended_by", **partition, captures=captures)


def _prepare(warehouse: Warehouse, transaction: Transaction, capture: Row, rows: Normalized) -> pa.Table:
    """Names and room come first and for good, so that no other partition waits for this one's end; all names."""
    with warehouse.transaction() as first:
        first.rows("make_room", week_ending=capture["week_ending"])
        names = _add_names(first, rows.records)
    transaction.rows("lock_partition", week_ending=capture["week_ending"], tier=capture["tier"])
    transaction.run("use_records")
    transaction.rows("plan_for_a_week")
    return names


def apply(
    transaction: Transaction, names: pa.Table, capture: Row, key: str, rows: Normalized, load: Load | None = None
) -> dict[str, int]:
    """Compare a capture with the records current at its time, inside what both cover.

    With `load`, it is first compared with the capture before it, which is quicker, where the tables hold just that.
    """
    before = transaction.row("capture_before", capture_id=capture["capture_id"])
    if before and before["normalized_key"] == key:
        return {"came": 0, "ended": 0}
    partition = {"week_ending": capture["week_ending"], "tier": capture["tier"]}
    if load and before and before["covers"] == capture["covers"] == "all":
        with suppress(Damaged, _OfNoHelp), transaction.attempt():
            return _replace(transaction, names, capture, load(before["normalized_key"]).records, rows.records)
    incoming = in_columns(names, capture, rows.records)
    if not transaction.rows("has_current", **partition)[0]["has_current"]:
        transaction.copy("copy_records", incoming)
        return {"came": incoming.num_rows, "ended": 0}
    transaction.run("create_incoming")
    transaction.copy("copy_incoming", incoming)
    compare = "drop_unchanged" if capture["covers"] == "all" else "drop_unchanged_ats"
    ended = transaction.run(compare, **partition, capture_id=capture["capture_id"])
    came = transaction.run("add_incoming")
    transaction.run("drop_incoming")
    return {"came": came, "ended": ended}


def _replace(
    transaction: Transaction, names: pa.Table, capture: Row, known: pa.Table, told: pa.Table
) -> dict[str, int]:
    """End what only the capture before told and add what only this one tells; raises where the sum is another."""
    partition = {"week_ending": capture["week_ending"], "tier": capture["tier"]}
    came, gone = apart(told, known, TOLD)
    if gone.num_rows > max(FEW, known.num_rows // 2):
        raise _OfNoHelp
    transaction.run("create_outgoing")
    transaction.copy("copy_outgoing", in_columns(names, capture, gone))
    places = transaction.rows("places_of_outgoing", **partition)[0]["places"]
    transaction.run("drop_outgoing")
    transaction.rows("plan_by_place")
    ended = transaction.run("end_at_places", **partition, capture_id=capture["capture_id"], places=places)
    transaction.rows("plan_for_a_week")
    if ended != gone.num_rows:
        raise _OfNoHelp
    transaction.copy("copy_records", in_columns(names, capture, came))
    if transaction.rows("current_sums", **partition)[0] != _sums(told):
        raise _OfNoHelp
    return {"came": came.num_rows, "ended": ended}


def _sums(records: pa.Table) -> Row:
    return {"records": records.num_rows} | {name: pc.sum(records[name]).as_py() or 0 for name in QUANTITIES}


def in_columns(names: pa.Table, capture: Row, records: pa.Table) -> pa.Table:
    """The records in the columns of `otc.volume_record`, names as numbers; in the order of their symbols.

    In that order an index grows at its end: COPY takes a quarter less, and a symbol's rows are read at one place.
    """
    symbols = records["symbol"].combine_chunks()
    if not pc.all(pc.less_equal(symbols[:-1], symbols[1:])).as_py():  # the API's rows are
        records = records.sort_by([(name, "ascending") for name in KEY])
    known, ids = names["name"], names["name_id"]
    count = records.num_rows
    columns = {
        "week_ending": pa.repeat(pa.scalar(capture["week_ending"], pa.date32()), count),
        "brought_by": pa.repeat(capture["capture_id"], count),
        "ended_by": pa.nulls(count, pa.int64()),
        "share_volume": records["share_volume"],
        "trade_count": records["trade_count"],
        "notional": records["notional"],
        "published_on": records["published_on"],
        "updated_on": records["updated_on"],
        "issue_name_id": pc.take(ids, pc.index_in(records["issue_name"], known)),
        "venue_name_id": pc.take(ids, pc.index_in(records["venue_name"], known)),
        "firm_crd": records["firm_crd"],
        "tier": pa.repeat(capture["tier"], count),
        "venue_type": records["venue_type"],
        "symbol": records["symbol"],
        "product_type": records["product_type"],
        "mpid": records["mpid"],
    }
    return pa.table(columns)


def names_of(transaction: Transaction) -> pa.Table:
    """All names and their numbers."""
    found = transaction.rows("names")[0]
    return pa.table({"name": pa.array(found["names"], pa.string()), "name_id": pa.array(found["ids"], pa.int32())})


def _add_names(transaction: Transaction, records: pa.Table) -> pa.Table:
    known = names_of(transaction)
    told = pa.chunked_array([*records["issue_name"].chunks, *records["venue_name"].chunks], pa.string()).unique()
    new = told.filter(pc.invert(pc.is_in(told, known["name"], skip_nulls=True))).drop_null()
    if not len(new):
        return known
    transaction.run("add_names", names=sorted(new.to_pylist()))
    return names_of(transaction)


def _set_persisted(transaction: Transaction, capture: Row, key: str, rows: Normalized, now: datetime) -> None:
    account = totals.account(rows)
    transaction.run("set_persisted", capture_id=capture["capture_id"], normalized_key=key, **account, now=now)
    transaction.run("drop_rejects", raw_key=capture["raw_key"])
    place = {"raw_key": capture["raw_key"], "week_ending": capture["week_ending"], "tier": capture["tier"]}
    columns = {name: pa.repeat(pa.scalar(value), rows.rejects.num_rows) for name, value in place.items()}
    transaction.copy(
        "copy_rejects", pa.table(columns | {name: rows.rejects[name] for name in rows.rejects.column_names})
    )


def find_content(warehouse: Warehouse, partition: Partition, digest: str, moment: datetime | None) -> Row | None:
    """The newest capture of a content; with a moment, the one that was observed at just that moment."""
    with warehouse.transaction() as transaction:
        rows = transaction.rows("same_content", **asdict(partition), digest=digest)
    return next((row for row in rows if moment in (None, row["observed_at"])), None)


def is_captured(warehouse: Warehouse, partition: Partition) -> bool:
    """Whether the API ever gave the partition."""
    with warehouse.transaction() as transaction:
        return bool(transaction.rows("is_captured", **asdict(partition))[0]["is_captured"])


def newest_update(warehouse: Warehouse, partition: Partition) -> date | None:
    """The newest date among the current records."""
    with warehouse.transaction() as transaction:
        found: date | None = transaction.rows("newest_update", **asdict(partition))[0]["updated_on"]
        return found
