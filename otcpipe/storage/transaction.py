"""One database transaction: named statements from `schema/queries`, COPY in and out."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pyarrow as pa

from otcpipe.storage import copy_format, sql

Row = dict[str, Any]


class Transaction:
    """Runs statements by their names in `schema/queries`; `Database.transaction` opens, commits and rolls back."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self.connection = connection
        self._streams = ExitStack()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Run the block in a savepoint: an error rolls back the block alone, and is raised."""
        with self.connection.transaction():
            yield

    def rows(self, name: str, /, **values: object) -> list[Row]:
        """Run a statement and return all its rows as dicts by column name; raises for a statement without rows."""
        return self.connection.execute(sql.statements()[name], values or None).fetchall()

    def row(self, name: str, /, **values: object) -> Row | None:
        """Run a statement and return its first row, None if it has none."""
        found = self.rows(name, **values)
        return found[0] if found else None

    def run(self, name: str, /, **values: object) -> int:
        """Run a statement and return the number of rows that it affected."""
        return self.connection.execute(sql.statements()[name], values or None).rowcount

    def script(self, text: str, /, **values: object) -> None:
        """Run the text of an SQL file; the client binds the values, since utility statements take no parameters."""
        with psycopg.ClientCursor(self.connection) as cursor:
            cursor.execute(text, values or None)

    def copy(self, name: str, rows: pa.Table) -> None:
        """COPY an Arrow table into the columns of a statement, whose types must equal those of the table."""
        with self.connection.cursor() as cursor, cursor.copy(sql.statements()[name]) as copy:
            for block in copy_format.encode(rows):
                copy.write(block)

    def columns(self, name: str, /, **values: object) -> dict[str, pa.DataType]:
        """Return the column names and Arrow types of a query, without running it to its rows."""
        with psycopg.ClientCursor(self.connection) as cursor:
            described = cursor.execute(_wrap("columns_of", name), values).description or []
            return {column.name: copy_format.arrow_type(column.type_display) for column in described}

    def stream(self, name: str, /, **values: object) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query as typed batches, in memory that does not grow with the number of rows.

        If rows are still unread when the transaction ends, the query is cancelled on the server.
        """
        batches = self._stream(name, values)
        self._streams.callback(batches.close)
        return batches

    def table(self, name: str, /, **values: object) -> pa.Table:
        """Return all rows of a query as an Arrow table, which has the query's columns even without rows."""
        return pa.Table.from_batches(self.stream(name, **values), pa.schema(self.columns(name, **values)))

    def close(self) -> None:
        """Cancel the streams that are still unread: a transaction cannot end while the server sends rows."""
        self._streams.close()

    def _stream(self, name: str, values: dict[str, object]) -> Generator[pa.RecordBatch, None, None]:
        columns = self.columns(name, **values)
        cursor = psycopg.ClientCursor(self.connection)  # COPY takes no parameters on the server
        with cursor, cursor.copy(_wrap("copy_out", name), values) as copy:
            yield from copy_format.batches(map(bytes, copy), columns)


def _wrap(outer: str, name: str) -> bytes:
    """Return the statement `outer` with the named query in place of its `{query}`."""
    return sql.statements()[outer].replace("{query}", sql.statements()[name].removesuffix(";")).encode()
