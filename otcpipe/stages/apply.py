"""Apply one capture to the records: close what it no longer has, insert what is new."""

from collections.abc import Callable
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.diff import difference
from otcpipe.errors import Damaged
from otcpipe.records import RECORD, Normalized
from otcpipe.storage.postgres import Row, Transaction

KEY = ("symbol", "mpid", "firm_crd")  # within a partition, as the index of current records has it
QUANTITIES = ("share_volume", "trade_count", "notional")
FEW = 1_000  # rows up to which each is looked up by the index
COMPARED_COLUMNS = tuple(
    name for name in RECORD.names if name not in ("line", "summary_type")
)  # venue_type implies the latter
Load = Callable[[str], Normalized]  # a normalized key's rows


class _DiffNotApplicable(Exception):
    """The diff cannot be applied: the table holds something else, or too many rows changed."""


def apply(
    transaction: Transaction,
    names: pa.Table,
    capture: Row,
    rows: Normalized,
    before: Row | None,
    load: Load | None = None,
) -> int:
    """Bring the current records to a capture, within what it and the records cover; return how many rows changed.

    `before` is the capture applied before this one; with `load`, a diff of the two captures is tried first.
    """
    if before and before["normalized_key"] == capture["normalized_key"]:
        return 0
    partition = {"week_ending": capture["week_ending"], "tier": capture["tier"]}
    if load and before and before["covers"] == capture["covers"] == "all":
        with suppress(Damaged, _DiffNotApplicable), transaction.attempt():
            return _apply_diff(transaction, names, capture, load(before["normalized_key"]).records, rows.records)
    incoming = in_columns(names, capture, rows.records)
    if not transaction.rows("has_current", **partition)[0]["has_current"]:
        transaction.copy("copy_records", incoming)
        return int(incoming.num_rows)
    transaction.run("create_incoming")
    transaction.copy("copy_incoming", incoming)
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
    if removed.num_rows > max(FEW, previous.num_rows // 2):
        raise _DiffNotApplicable
    transaction.run("create_outgoing")
    transaction.copy("copy_outgoing", in_columns(names, capture, removed))
    places = transaction.rows("places_of_outgoing", **partition)[0]["places"]
    transaction.run("drop_outgoing")
    transaction.rows("plan_by_place")
    closed = transaction.run("close_at_places", **partition, capture_id=capture["capture_id"], places=places)
    transaction.rows("plan_for_a_week")
    if closed != removed.num_rows:
        raise _DiffNotApplicable
    transaction.copy("copy_records", in_columns(names, capture, added))
    if transaction.rows("current_sums", **partition)[0] != _sums(current):
        raise _DiffNotApplicable
    return int(added.num_rows) + closed


def _sums(records: pa.Table) -> Row:
    return {"records": records.num_rows} | {name: pc.sum(records[name]).as_py() or 0 for name in QUANTITIES}


def in_columns(names: pa.Table, capture: Row, records: pa.Table) -> pa.Table:
    """The records in the columns of `otc_internal.volume_record`, names as numbers; in the order of their symbols.

    In that order an index grows at its end: COPY takes a quarter less, and a symbol's rows are read at one place.
    """
    symbols = records["symbol"].combine_chunks()
    if not pc.all(pc.less_equal(symbols[:-1], symbols[1:])).as_py():  # the API's rows are
        records = records.sort_by([(name, "ascending") for name in KEY])
    known, ids = names["name"], names["name_id"]
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


def add_names(transaction: Transaction, records: pa.Table) -> pa.Table:
    known = names_of(transaction)
    told = pa.chunked_array([*records["issue_name"].chunks, *records["venue_name"].chunks], pa.string()).unique()
    new = told.filter(pc.invert(pc.is_in(told, known["name"], skip_nulls=True))).drop_null()
    if not len(new):
        return known
    transaction.run("add_names", names=sorted(new.to_pylist()))
    return names_of(transaction)
