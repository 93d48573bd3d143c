from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otcpipe import resources
from otcpipe.storage import copy_format
from otcpipe.text.tables import RECORD

FIELDS = [field for field in RECORD if field.name != "line"]
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


def _values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_decimal(kind):
        most = 10 ** (kind.precision - kind.scale)
        return st.decimals(1 - most, most - 1, places=kind.scale)
    if pa.types.is_integer(kind):
        return st.integers(-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1)
    return st.dates() if pa.types.is_date(kind) else TEXT


ROWS = st.lists(st.fixed_dictionaries({field.name: st.none() | _values(field.type) for field in FIELDS}), max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, blocks=st.integers(1, 12))
def test_every_value_arrives_as_it_is(environment: dict[str, str], rows: list[dict[str, Any]], blocks: int) -> None:
    table = pa.Table.from_pylist(rows, schema=pa.schema([pa.field(field.name, field.type) for field in FIELDS]))
    names = ", ".join(table.column_names)
    with pytest.MonkeyPatch.context() as patch, resources.database().transaction() as transaction:
        patch.setattr(copy_format, "BATCH_ROWS", blocks)
        run = transaction.connection.execute
        run(f"create temporary table arrived ({', '.join(map(_column, FIELDS))})".encode())
        with transaction.connection.cursor().copy(
            f"copy arrived ({names}) from stdin (format binary)".encode()
        ) as copy:
            for block in copy_format.encode(table):
                copy.write(block)
        assert [dict(row) for row in run("select * from arrived").fetchall()] == rows
        transaction.connection.rollback()


def _column(field: pa.Field) -> str:
    kind = {pa.string(): "text", pa.int32(): "int", pa.int64(): "bigint", pa.date32(): "date"}.get(field.type)
    return f"{field.name} {kind or f'numeric({field.type.precision}, {field.type.scale})'}"
