"""Rows compared by some of their columns; a null equals a null."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def without_nulls(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The columns, with what none of FINRA's values is instead of each null: joins and groups see no null."""
    columns = [table[name] for name in names]
    filled = [pc.fill_null(column, _nothing(column.type)) if column.null_count else column for column in columns]
    return pa.table(filled, names=list(names))


def lacking(rows: pa.Table, others: pa.Table, names: Sequence[str]) -> pa.Table:
    """Those of the rows that none of the others equals."""
    places = pa.array(np.arange(rows.num_rows))
    numbered = without_nulls(rows, names).append_column("place", places)
    apart = numbered.join(without_nulls(others, names), list(names), join_type="left anti")
    return rows.take(apart["place"].sort())


def _nothing(kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_decimal(kind):
        return pa.scalar(Decimal(-1), kind)
    return pa.scalar("" if pa.types.is_string(kind) else date.min if pa.types.is_date(kind) else -1, kind)
