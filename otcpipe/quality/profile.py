"""The profile of a partition's current records: the part of its measures that follows from the records alone."""

from decimal import Decimal
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

QUANTITIES = ("share_volume", "trade_count", "notional")


def of(records: pa.Table) -> dict[str, object]:
    """Return counts, volumes in shares and the ATSs. Needs columns as in `RECORD`; a record may lack its symbol."""
    shares = records["share_volume"]
    ats = shares.filter(pc.equal(records["venue_type"], "ATS"))
    return {
        "records": records.num_rows,
        "symbols": pc.count_distinct(records["symbol"]).as_py(),
        "volume": pc.sum(shares).as_py() or Decimal(0),
        "ats_volume": pc.sum(ats).as_py() or Decimal(0),
        "venues": sorted(pc.unique(records["mpid"]).drop_null().to_pylist()),
        "doubled_symbols": _doubled(records.select(["symbol", "issue_name"]).drop_null()),
        "zero_records": pc.sum(_are_zero(records)).as_py() or 0,
    }


def _doubled(named: pa.Table) -> int:
    """Return how many symbols have more than one name."""
    names = named.group_by(named.column_names).aggregate([])
    counts = pc.value_counts(names["symbol"]).field("counts")
    return int(pc.sum(pc.greater(counts, 1)).as_py() or 0)


def _are_zero(records: pa.Table) -> pa.ChunkedArray:
    """Return for each record whether its shares, trades or dollars are zero or negative."""
    columns = [records[name] for name in QUANTITIES]
    return reduce(pc.or_kleene, [pc.less_equal(column, pa.scalar(0, column.type)) for column in columns])
