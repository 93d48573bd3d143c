"""One database transaction: named statements from `schema/queries`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg

from otcpipe.storage import sql
from otcpipe.storage.comparison import Comparison

Row = dict[str, Any]


class Rows(list[Row]):
    """The rows of a statement, and the names of its columns, which are known without rows too."""

    def __init__(self, rows: Iterable[Row], columns: Sequence[str]) -> None:
        super().__init__(rows)
        self.columns = columns


class Transaction:
    """Runs statements by their names in `schema/queries`; `Database.transaction` opens, commits and rolls back."""

    def __init__(self, connection: psycopg.Connection[Row], schema: str = sql.LIVE) -> None:
        self.connection = connection
        self.schema = schema  # in which all statements run
        self._callbacks = ExitStack()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Run the block in a savepoint: an error rolls back the block alone, and is raised."""
        with self.connection.transaction():
            yield

    def text(self, name: str) -> str:
        """Return the text of a statement."""
        return sql.statements(self.schema)[name]

    def rows(self, name: str, /, **values: object) -> Rows:
        """Run a statement and return all its rows as dicts by column name; raises for a statement without rows."""
        cursor = self.connection.execute(self.text(name), values or None)
        found = cursor.fetchall()
        return Rows(found, list(found[0]) if found else [column.name for column in cursor.description or ()])

    def compare(self, comparison: Comparison, /, **values: object) -> Row:
        """Return the row that a comparison of two schemas results in."""
        [found] = self.connection.execute(comparison.text().encode(), values).fetchall()
        return found

    def row(self, name: str, /, **values: object) -> Row | None:
        """Run a statement and return its first row, None if it has none."""
        found = self.rows(name, **values)
        return found[0] if found else None

    def run(self, name: str, /, **values: object) -> int:
        """Run a statement and return the number of rows that it affected."""
        return self.connection.execute(self.text(name), values or None).rowcount

    def script(self, text: str, /, **values: object) -> None:
        """Run the text of an SQL file; the client binds the values, since utility statements take no parameters."""
        with psycopg.ClientCursor(self.connection) as cursor:
            cursor.execute(sql.in_schema(text, self.schema), values or None)

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call this before the transaction ends."""
        self._callbacks.callback(callback)

    def close(self) -> None:
        """Call what `on_end` was given."""
        self._callbacks.close()
