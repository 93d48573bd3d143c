"""Rows compared by some of their columns; a null equals a null."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def fill_nulls(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The columns, with what none of FINRA's values is instead of each null: joins and groups see no null."""
    columns = [table[name] for name in names]
    filled = [pc.fill_null(column, _nothing(column.type)) if column.null_count else column for column in columns]
    return pa.table(filled, names=list(names))


def difference(rows: pa.Table, others: pa.Table, names: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """The rows that none of the others equals, and the others that none of the rows does; in neither a row is twice.

    Two answers about a week are in the same order, all but always: what stands at the same place is compared first.
    """
    near = min(rows.num_rows, others.num_rows)
    left, right = fill_nulls(rows, names), fill_nulls(others, names)
    same = reduce(pc.and_, [pc.equal(left[name][:near], right[name][:near]) for name in names])
    rest = np.flatnonzero(~same.to_numpy())
    places, other_places = (np.append(rest, np.arange(near, table.num_rows)) for table in (left, right))
    return (
        rows.take(_lacking(left, right, places, other_places)),
        others.take(_lacking(right, left, other_places, places)),
    )


def _lacking(rows: pa.Table, others: pa.Table, places: np.ndarray, other_places: np.ndarray) -> pa.Array:
    """Which of the places hold a row that none of the others equals, in order."""
    numbered = rows.take(places).append_column("place", pa.array(places))
    found = numbered.join(others.take(other_places), others.column_names, join_type="left anti")
    return found["place"].sort()


def _nothing(kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_decimal(kind):
        return pa.scalar(Decimal(-1), kind)
    return pa.scalar("" if pa.types.is_string(kind) else date.min if pa.types.is_date(kind) else -1, kind)
