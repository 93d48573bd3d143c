"""Apply one capture to the records: close what it no longer has, insert what is new."""

from collections.abc import Callable
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.errors import Damaged
from otcpipe.storage import arrow
from otcpipe.storage.diff import difference
from otcpipe.storage.postgres import Row, Transaction
from otcpipe.text.tables import RECORD, Normalized

KEY = ("symbol", "mpid", "firm_crd")  # of a record within a partition, as in the index of current records
QUANTITIES = ("share_volume", "trade_count", "notional")
MAX_ROWS_BY_LOOKUP = 1_000  # removed rows; up to half of the partition if that is more
# venue_type implies summary_type
COMPARED_COLUMNS = tuple(name for name in RECORD.names if name not in ("line", "summary_type"))
Load = Callable[[str], Normalized]  # returns the rows of a normalized key


class _DiffNotApplicable(Exception):
    """The diff cannot be applied: the table holds something else, or too many rows changed."""


def apply(
    transaction: Transaction,
    names: pa.Table,
    capture: Row,
    rows: Normalized,
    previous: Row | None,
    load: Load | None = None,
) -> int:
    """Make the current records equal to a capture, within what it covers; return how many rows were changed.

    `previous` is the capture applied before this one; with `load`, a diff of the two captures is tried first.
    """
    if previous and previous["normalized_key"] == capture["normalized_key"]:
        return 0
    partition = {"week_ending": capture["week_ending"], "tier": capture["tier"]}
    if load and previous and previous["covers"] == capture["covers"] == "all":
        with suppress(Damaged, _DiffNotApplicable), transaction.attempt():
            return _apply_diff(transaction, names, capture, load(previous["normalized_key"]).records, rows.records)
    incoming = to_columns(names, capture, rows.records)
    if not transaction.rows("has_current", **partition)[0]["has_current"]:
        arrow.copy(transaction, "copy_records", incoming)
        return int(incoming.num_rows)
    transaction.run("create_incoming")
    arrow.copy(transaction, "copy_incoming", incoming)
    compare = "drop_unchanged" if capture["covers"] == "all" else "drop_unchanged_ats"
    closed = transaction.run(compare, **partition, capture_id=capture["capture_id"])
    opened = transaction.run("add_incoming")
    transaction.run("drop_incoming")
    return opened + closed


def _apply_diff(
    transaction: Transaction, names: pa.Table, capture: Row, previous: pa.Table, current: pa.Table
) -> int:
    """Close the records that only the previous capture has, insert those that only this one has.

    Raises _DiffNotApplicable if more or fewer rows were closed than differ, or if the sums are wrong afterwards.
    """
    partition = {"week_ending": capture["week_ending"], "tier": capture["tier"]}
    added, removed = difference(current, previous, COMPARED_COLUMNS)
    if removed.num_rows > max(MAX_ROWS_BY_LOOKUP, previous.num_rows // 2):
        raise _DiffNotApplicable
    transaction.run("create_outgoing")
    arrow.copy(transaction, "copy_outgoing", to_columns(names, capture, removed))
    places = transaction.rows("places_of_outgoing", **partition)[0]["places"]
    transaction.run("drop_outgoing")
    transaction.rows("plan_by_place")
    closed = transaction.run("close_at_places", **partition, capture_id=capture["capture_id"], places=places)
    transaction.rows("plan_for_a_week")
    if closed != removed.num_rows:
        raise _DiffNotApplicable
    arrow.copy(transaction, "copy_records", to_columns(names, capture, added))
    if transaction.rows("current_sums", **partition)[0] != _sums(current):
        raise _DiffNotApplicable
    return int(added.num_rows) + closed


def _sums(records: pa.Table) -> Row:
    return {"records": records.num_rows} | {name: pc.sum(records[name]).as_py() or 0 for name in QUANTITIES}


def to_columns(names: pa.Table, capture: Row, records: pa.Table) -> pa.Table:
    """Return the records in the columns of `otc_internal.volume_record`, names as identifiers, sorted by symbol.

    Sorted input makes COPY a quarter faster, since the index grows at its end, and keeps a symbol's rows adjacent.
    """
    symbols = records["symbol"].combine_chunks()
    if not pc.all(pc.less_equal(symbols[:-1], symbols[1:])).as_py():  # rows of the API are sorted already
        records = records.sort_by([(name, "ascending") for name in KEY])
    count = records.num_rows
    columns = {
        "week_ending": pa.repeat(pa.scalar(capture["week_ending"], pa.date32()), count),
        "opened_by": pa.repeat(capture["capture_id"], count),
        "closed_by": pa.nulls(count, pa.int64()),
        "share_volume": records["share_volume"],
        "trade_count": records["trade_count"],
        "notional": records["notional"],
        "published_on": records["published_on"],
        "updated_on": records["updated_on"],
        "issue_name_id": _name_ids(records["issue_name"], names),
        "venue_name_id": _name_ids(records["venue_name"], names),
        "firm_crd": records["firm_crd"],
        "tier": pa.repeat(capture["tier"], count),
        "venue_type": records["venue_type"],
        "symbol": records["symbol"],
        "product_type": records["product_type"],
        "mpid": records["mpid"],
    }
    return pa.table(columns)


def _name_ids(column: pa.ChunkedArray, names: pa.Table) -> pa.ChunkedArray:
    ids = pc.take(names["name_id"], pc.index_in(column, names["name"]))
    if ids.null_count != column.null_count:
        raise Damaged("otc_internal.name", "lacks names that records have")
    return ids


def load_names(transaction: Transaction) -> pa.Table:
    """Return all names of issues and venues with their identifiers: columns `name` and `name_id`."""
    found = transaction.rows("names")[0]
    return pa.table({"name": pa.array(found["names"], pa.string()), "name_id": pa.array(found["ids"], pa.int32())})


def add_names(transaction: Transaction, records: pa.Table) -> None:
    """Add the names that are new in the records."""
    stored = load_names(transaction)
    names = pa.chunked_array([*records["issue_name"].chunks, *records["venue_name"].chunks], pa.string()).unique()
    new = names.filter(pc.invert(pc.is_in(names, stored["name"], skip_nulls=True))).drop_null()
    if len(new):
        transaction.run("add_names", names=sorted(new.to_pylist()))
