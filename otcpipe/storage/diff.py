"""Compare tables by some of their columns; a null equals a null."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def fill_nulls(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the columns with nulls replaced by a value that FINRA never publishes, since joins skip nulls."""
    columns = [table[name] for name in names]
    filled = [pc.fill_null(column, _substitute(column.type)) if column.null_count else column for column in columns]
    return pa.table(filled, names=list(names))


def difference(rows: pa.Table, others: pa.Table, names: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """Return (rows only in `rows`, rows only in `others`), in their order. Neither may hold duplicates.

    Two captures of a week are nearly always in the same order, so rows at the same position are compared first.
    """
    shared = min(rows.num_rows, others.num_rows)
    left, right = fill_nulls(rows, names), fill_nulls(others, names)
    same = reduce(pc.and_, [pc.equal(left[name][:shared], right[name][:shared]) for name in names])
    rest = np.flatnonzero(~same.to_numpy())
    positions, other_positions = (np.append(rest, np.arange(shared, table.num_rows)) for table in (left, right))
    return (
        rows.take(_positions_only_in(left, right, positions, other_positions)),
        others.take(_positions_only_in(right, left, other_positions, positions)),
    )


def _positions_only_in(rows: pa.Table, others: pa.Table, positions: np.ndarray, among: np.ndarray) -> pa.Array:
    """Return the positions whose row equals none of `others` at the positions `among`, in order."""
    numbered = rows.take(positions).append_column("position", pa.array(positions))
    unmatched = numbered.join(others.take(among), others.column_names, join_type="left anti")
    return unmatched["position"].sort()


def _substitute(kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_decimal(kind):
        return pa.scalar(Decimal(-1), kind)
    return pa.scalar("" if pa.types.is_string(kind) else date.min if pa.types.is_date(kind) else -1, kind)
