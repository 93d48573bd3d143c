"""PostgreSQL: named statements in transactions, COPY, migrations."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

import psycopg
import pyarrow as pa
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from otcpipe.storage import cancellation, copy_format, migrations, postgres_errors, sql

Row = dict[str, Any]
One = TypeVar("One")
Result = TypeVar("Result")
PARALLEL_TRANSACTIONS = 2  # transactions at a time of all that a process does side by side
CONNECT_SECONDS = 5
CANCEL_SECONDS = 2
LIMITS = {
    "statement_timeout": "30 min",
    "lock_timeout": "1 min",  # shorter than any stage may take
    "idle_in_transaction_session_timeout": "10 min",
    "tcp_keepalives_idle": "60",
}


class Transaction:
    """Statements of one transaction, by their names in `schema/queries`."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self.connection = connection
        self._streams = ExitStack()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A part that is taken back alone when it fails."""
        with self.connection.transaction():
            yield

    def rows(self, name: str, /, **values: object) -> list[Row]:
        return self.connection.execute(sql.statements()[name], values or None).fetchall()

    def row(self, name: str, /, **values: object) -> Row | None:
        found = self.rows(name, **values)
        return found[0] if found else None

    def run(self, name: str, /, **values: object) -> int:
        """The number of rows that the statement touched."""
        return self.connection.execute(sql.statements()[name], values or None).rowcount

    def script(self, text: str, /, **values: object) -> None:
        """A text from a file of `schema/`; values are bound by the client, since utility statements take none."""
        with psycopg.ClientCursor(self.connection) as cursor:
            cursor.execute(text, values or None)

    def copy(self, name: str, rows: pa.Table) -> None:
        """COPY an Arrow table in, whose columns have the types of the statement's."""
        with self.connection.cursor() as cursor, cursor.copy(sql.statements()[name]) as copy:
            for block in copy_format.encoded(rows):
                copy.write(block)

    def columns(self, name: str, /, **values: object) -> dict[str, pa.DataType]:
        """What a query would tell, without its rows."""
        with psycopg.ClientCursor(self.connection) as cursor:
            described = cursor.execute(_around("columns_of", name), values).description or []
            return {column.name: copy_format.arrow_type(column.type_display) for column in described}

    def stream(self, name: str, /, **values: object) -> Iterator[pa.RecordBatch]:
        """The rows of a query, typed as its columns are, in memory that does not grow with them.

        Rows that are still unread when the transaction ends are cancelled on the server.
        """
        batches = self._streamed(name, values)
        self._streams.callback(batches.close)
        return batches

    def close(self) -> None:
        """Cancel what is half read: a transaction cannot end while the server still sends rows."""
        self._streams.close()

    def _streamed(self, name: str, values: dict[str, object]) -> Generator[pa.RecordBatch, None, None]:
        columns = self.columns(name, **values)
        cursor = psycopg.ClientCursor(self.connection)  # COPY takes no values from the server's side
        with cursor, cursor.copy(_around("copy_out", name), values) as copy:
            yield from copy_format.batches(map(bytes, copy), columns)

    def table(self, name: str, /, **values: object) -> pa.Table:
        """All rows of a query; its columns also where there is no row."""
        return pa.Table.from_batches(self.stream(name, **values), pa.schema(self.columns(name, **values)))


class Database:
    """A pool of connections to one database."""

    def __init__(self, url: str, connections: int = 16, seconds: float = CONNECT_SECONDS) -> None:
        postgres_errors.check(url)
        self._url = url
        self._lanes = ThreadPoolExecutor(PARALLEL_TRANSACTIONS, "lane")
        self._pool: ConnectionPool[psycopg.Connection[Row]] = ConnectionPool(
            url,
            min_size=0,
            max_size=connections,
            timeout=seconds,
            open=False,
            check=ConnectionPool.check_connection,
            configure=_limit,
            kwargs={
                "row_factory": dict_row,
                "connect_timeout": CONNECT_SECONDS,
                "application_name": "otcpipe",
                "keepalives_idle": 30,  # a server that vanished without a word is noticed within a minute
                "keepalives_interval": 10,
                "keepalives_count": 3,
            },
        )

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commits at the end, rolls back on an error.

        Raises Unreachable when there is no server, TooSoon when a lock is not to be had, and what stops the stage.
        """
        with postgres_errors.translated(self._url):
            self._open()
            with (
                self._pool.connection() as connection,
                _cancellable(connection),
                closing(Transaction(connection)) as transaction,
            ):
                yield transaction

    def _open(self) -> None:
        """A pool tries to connect until its time is over, whatever the server says: so it is asked once before."""
        if self._pool.closed:
            psycopg.connect(self._url, connect_timeout=CONNECT_SECONDS).close()
            self._pool.open()

    def in_parallel(self, work: Callable[[Transaction, One], Result], over: Iterable[One]) -> list[Result]:
        """What the work gives of each, each in a transaction of its own; an error is raised when all have ended."""

        def alone(one: One) -> Result:
            with self.transaction() as transaction:
                return work(transaction, one)

        futures: list[Future[Result]] = []
        try:
            # one by one: what has begun is there
            futures.extend(self._lanes.submit(copy_context().run, alone, one) for one in over)
        finally:
            wait(futures)
        cancellation.check()
        return [future.result() for future in futures]

    @property
    def address(self) -> str:
        return postgres_errors.address(self._url)

    def maintain(self, name: str) -> None:
        """A statement that allows no transaction around it."""
        with (
            postgres_errors.translated(self._url),
            psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection,
            _cancellable(connection),
        ):
            connection.execute(sql.statements()[name].encode())

    def migrate(self) -> list[str]:
        """Bring the database to the newest schema; return the names of the migrations that were applied.

        Raises Unready if it was made by a release before 0.1.0.
        """
        return migrations.migrate(self.transaction)

    def close(self) -> None:
        self._lanes.shutdown()
        self._pool.close()


def is_up(environment: Mapping[str, str]) -> bool:
    """Whether the server of OTCPIPE_DATABASE_URL answers a query."""
    try:
        with psycopg.connect(environment["OTCPIPE_DATABASE_URL"], connect_timeout=2) as connection:
            connection.execute("select 1")
    except psycopg.OperationalError:
        return False
    return True


def _cancellable(connection: "psycopg.Connection[Any]") -> AbstractContextManager[None]:
    """While it lasts, what stops the stage cancels the connection's statement."""
    return cancellation.under_way(partial(connection.cancel_safe, timeout=CANCEL_SECONDS))


def _around(frame: str, name: str) -> bytes:
    """One named statement inside another."""
    return sql.statements()[frame].replace("{query}", sql.statements()[name].removesuffix(";")).encode()


def _limit(connection: psycopg.Connection[Row]) -> None:
    """No statement lasts for ever, and no transaction outlives a client that vanished without a word."""
    for name, value in LIMITS.items():
        connection.execute("select set_config(%s, %s, false)", [name, value])
    connection.commit()
