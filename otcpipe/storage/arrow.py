"""Arrow tables into and out of a transaction, by COPY."""

from collections.abc import Generator, Iterator

import psycopg
import pyarrow as pa

from otcpipe.storage import copy_format, sql
from otcpipe.storage.transaction import Transaction


def copy(transaction: Transaction, name: str, rows: pa.Table) -> None:
    """COPY a table into the columns of a statement, whose types must equal those of the table."""
    with transaction.connection.cursor() as cursor, cursor.copy(sql.statements()[name]) as stream:
        for block in copy_format.encode(rows):
            stream.write(block)


def columns(transaction: Transaction, name: str, /, **values: object) -> dict[str, pa.DataType]:
    """Return the column names and Arrow types of a query, without running it to its rows."""
    with psycopg.ClientCursor(transaction.connection) as cursor:
        described = cursor.execute(_wrap("columns_of", name), values).description or []
        return {column.name: copy_format.arrow_type(column.type_display) for column in described}


def stream(transaction: Transaction, name: str, /, **values: object) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a query as typed batches, in memory that does not grow with the number of rows.

    A transaction cannot end while the server sends rows: if some are still unread then, the query is cancelled.
    """
    batches = _batches(transaction, name, values)
    transaction.on_end(batches.close)
    return batches


def table(transaction: Transaction, name: str, /, **values: object) -> pa.Table:
    """Return all rows of a query as a table, which has the query's columns even without rows."""
    schema = pa.schema(columns(transaction, name, **values))
    return pa.Table.from_batches(stream(transaction, name, **values), schema)


def _batches(transaction: Transaction, name: str, values: dict[str, object]) -> Generator[pa.RecordBatch, None, None]:
    described = columns(transaction, name, **values)
    cursor = psycopg.ClientCursor(transaction.connection)  # COPY takes no parameters on the server
    with cursor, cursor.copy(_wrap("copy_out", name), values) as rows:
        yield from copy_format.batches(map(bytes, rows), described)


def _wrap(outer: str, name: str) -> bytes:
    """Return the statement `outer` with the named query in place of its `{query}`."""
    return sql.statements()[outer].replace("{query}", sql.statements()[name].removesuffix(";")).encode()
