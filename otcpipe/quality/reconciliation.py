"""Reconciliation: whether the firm rows of a capture add up to the totals that FINRA published with them."""

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.datasets import WEEKLY
from otcpipe.storage.diff import fill_nulls
from otcpipe.text.tables import Normalized

TOLERANCE = 1e-6  # shares for each row: FINRA rounds totals and rows
SYMBOL_TOTALS = pa.array([*WEEKLY.symbol_totals])
FIRM_TOTALS = pa.array([*WEEKLY.firm_totals])

SYMBOL = ["venue_type", "symbol"]
VENUE = ["mpid", "firm_crd", "venue_name"]  # the first that is not null identifies the venue
QUANTITIES = ["share_volume", "trade_count"]


def account(rows: Normalized) -> dict[str, object]:
    """Count a capture's rows as records, totals and rejects, and reconcile them: columns of `otc.capture`."""
    rejects = pc.sum(rows.rejects["lines"]).as_py() or 0
    sizes = {"records": rows.records.num_rows, "totals": rows.totals.num_rows, "rejects": rejects}
    difference = unreconciled(rows)
    reconciled = None if difference is None else not difference
    return {"rows": sum(sizes.values()), **sizes, "reconciled": reconciled, "unreconciled": difference}


def unreconciled(rows: Normalized) -> list[str] | None:
    """Return the symbols and firms whose rows do not add up to the totals; None without totals.

    Trades must be equal, shares within TOLERANCE.
    """
    by_symbol = rows.totals.filter(pc.is_in(rows.totals["summary_type"], SYMBOL_TOTALS))
    by_firm = rows.totals.filter(pc.is_in(rows.totals["summary_type"], FIRM_TOTALS))
    if not by_symbol.num_rows:
        return None
    records = rows.records.select([*dict.fromkeys(SYMBOL + VENUE + QUANTITIES)])
    records = records.filter(pc.is_in(records["venue_type"], pc.unique(by_symbol["venue_type"])))
    symbols = _differing(records, by_symbol, SYMBOL, "full outer")
    firms = _differing(_by_venue(records), _by_venue(by_firm), ["venue_type", "venue"], "inner")
    name_of = dict(zip(*(column.to_pylist() for column in _names(records)), strict=True))
    return sorted({str(row["symbol"]) for row in symbols} | {name_of[row["venue"]] for row in firms})


def _by_venue(rows: pa.Table) -> pa.Table:
    """Add a venue column. A venue with several names in a week is one venue; FINRA may total it under any of them."""
    prefixes = zip(VENUE, ("MPID ", "CRD ", ""), strict=True)
    parts = [pc.binary_join_element_wise(prefix, pc.cast(rows[name], pa.string()), "") for name, prefix in prefixes]
    return rows.append_column("venue", pc.coalesce(*parts, "of no venue"))


def _names(records: pa.Table) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Return the venues, and for each the alphabetically last of its names, or its identifier if it has no name."""
    rows = _by_venue(records)
    named = rows.select(["venue"]).append_column("name", pc.coalesce(rows["venue_name"], rows["venue"]))
    found = named.group_by("venue").aggregate([("name", "max")])
    return found["venue"], found["name_max"]


def _differing(records: pa.Table, totals: pa.Table, keys: list[str], join: str) -> list[dict[str, object]]:
    """Return the keys of groups whose sums differ. Null keys were filled, since a join ignores them."""
    own, published = _summed(records, keys), _summed(totals, keys)
    both = own.join(published, keys, right_suffix="_published", join_type=join)
    shares = pc.subtract(_or_zero(both["share_volume_sum"]), _or_zero(both["share_volume_sum_published"]))
    allowed = pc.multiply(pc.fill_null(pc.cast(both["share_volume_count"], pa.float64()), 1), TOLERANCE)
    trades = pc.subtract(pc.fill_null(both["trade_count_sum"], 0), pc.fill_null(both["trade_count_sum_published"], 0))
    wrong = pc.or_(pc.not_equal(trades, 0), pc.greater(pc.abs(pc.cast(shares, pa.float64())), allowed))
    found: list[dict[str, object]] = both.filter(wrong).select(keys).to_pylist()
    return found


def _summed(table: pa.Table, keys: list[str]) -> pa.Table:
    quantities = table.select(QUANTITIES)
    for name, column in zip(keys, fill_nulls(table, keys).itercolumns(), strict=True):
        quantities = quantities.append_column(name, column)
    summed = quantities.group_by(keys).aggregate(
        [("share_volume", "sum"), ("share_volume", "count"), ("trade_count", "sum")]
    )
    shares = pc.cast(
        summed["share_volume_sum"], pa.decimal128(30, 6)
    )  # of 38 digits, so that there is room to subtract
    return summed.set_column(summed.column_names.index("share_volume_sum"), "share_volume_sum", shares)


def _or_zero(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(column, pa.scalar(0, column.type))
