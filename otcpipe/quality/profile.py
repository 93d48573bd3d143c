"""What is told of a partition's current records, to judge it by."""

from decimal import Decimal
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

QUANTITIES = ("share_volume", "trade_count", "notional")


def of(records: pa.Table) -> dict[str, object]:
    """Counts, shares and ATSs, of columns as in `RECORD`; records without a symbol count for their venues."""
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
    """How many symbols have more than one name."""
    names = named.group_by(named.column_names).aggregate([])
    counts = pc.value_counts(names["symbol"]).field("counts")
    return int(pc.sum(pc.greater(counts, 1)).as_py() or 0)


def _are_zero(records: pa.Table) -> pa.ChunkedArray:
    """Whether a record lacks shares, trades or dollars, or has less than none."""
    columns = [records[name] for name in QUANTITIES]
    return reduce(pc.or_kleene, [pc.less_equal(column, pa.scalar(0, column.type)) for column in columns])
