"""Arrow tables into and out of a transaction, by COPY."""

from collections.abc import Generator, Iterator

import psycopg
import pyarrow as pa
from psycopg.rows import dict_row

from otcpipe.storage import copy_format
from otcpipe.storage.selection import Selection
from otcpipe.storage.transaction import Transaction

Query = str | Selection  # the name of a statement, or a selection


def copy(transaction: Transaction, name: str, rows: pa.Table) -> None:
    """COPY a table into the columns of a statement, whose types must equal those of the table."""
    with transaction.connection.cursor() as cursor, cursor.copy(transaction.text(name)) as stream:
        for block in copy_format.encode(rows):
            stream.write(block)


def columns(
    transaction: Transaction, query: Query, /, *, is_float: bool = False, **values: object
) -> dict[str, pa.DataType]:
    """Return the column names and Arrow types of a query, without running it to its rows.

    With `is_float`, decimals are float64: the nearest to the decimal, which a cast in Arrow does not always return.
    """
    with psycopg.ClientCursor(transaction.connection) as cursor:
        described = cursor.execute(_wrap(transaction, "columns_of", query), values).description or []
    types = {column.name: copy_format.arrow_type(column.type_display) for column in described}
    return {name: pa.float64() if is_float and pa.types.is_decimal(kind) else kind for name, kind in types.items()}


def stream(
    transaction: Transaction, query: Query, /, *, is_float: bool = False, **values: object
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a query as typed batches, in memory that does not grow with the number of rows.

    A transaction cannot end while the server sends rows: if some are still unread then, the query is cancelled.
    """
    batches = _batches(transaction, query, columns(transaction, query, is_float=is_float, **values), values)
    transaction.on_end(batches.close)
    return batches


def table(transaction: Transaction, query: Query, /, *, is_float: bool = False, **values: object) -> pa.Table:
    """Return all rows of a query as a table, which has the query's columns even without rows."""
    described = columns(transaction, query, is_float=is_float, **values)
    batches = _batches(transaction, query, described, values)
    return pa.Table.from_batches(batches, pa.schema(described))


def count(transaction: Transaction, query: Query, /, **values: object) -> int:
    """Return the number of rows of a query."""
    with psycopg.ClientCursor(transaction.connection, row_factory=dict_row) as cursor:
        counted = cursor.execute(_wrap(transaction, "count_of", query), values).fetchall()
    return int(counted[0]["rows"])


def _batches(
    transaction: Transaction, query: Query, described: dict[str, pa.DataType], values: dict[str, object]
) -> Generator[pa.RecordBatch, None, None]:
    cursor = psycopg.ClientCursor(transaction.connection)  # COPY takes no parameters on the server
    with cursor, cursor.copy(_wrap(transaction, "copy_out", query), values) as rows:
        yield from copy_format.batches(map(bytes, rows), described)


def _wrap(transaction: Transaction, outer: str, query: Query) -> bytes:
    """Return the statement `outer` with the query in place of its `{query}`."""
    text = query.text() if isinstance(query, Selection) else transaction.text(query)
    return transaction.text(outer).replace("{query}", text.removesuffix(";")).encode()
