"""`difference` against plain sets."""

from datetime import date
from decimal import Decimal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from otcpipe.storage.diff import difference

Row = tuple[str | None, int | None, Decimal | None, date | None]
SCHEMA = pa.schema({"symbol": pa.string(), "crd": pa.int32(), "notional": pa.decimal128(9, 2), "day": pa.date32()})
ROW = st.tuples(
    st.sampled_from(["A", "B", None]),
    st.sampled_from([0, 1, None]),
    st.sampled_from([Decimal(0), Decimal("0.01"), None]),
    st.sampled_from([date(2024, 1, 5), None]),
)


def table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], SCHEMA)


def as_tuples(rows: pa.Table) -> list[Row]:
    return [tuple(row.values()) for row in rows.to_pylist()]


@settings(deadline=None)
@given(st.lists(ROW, unique=True), st.lists(ROW, unique=True))
def test_rows_of_only_one_of_two_tables_are_returned_in_its_order(rows: list[Row], others: list[Row]) -> None:
    only, other_only = difference(table(rows), table(others), SCHEMA.names)
    assert as_tuples(only) == [row for row in rows if row not in others]
    assert as_tuples(other_only) == [row for row in others if row not in rows]
