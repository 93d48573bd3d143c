"""PostgreSQL: a pool of connections, transactions one at a time or in parallel."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, closing, contextmanager
from contextvars import copy_context
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from otcpipe.storage import cancellation, migrations, postgres_errors, sql
from otcpipe.storage.transaction import Row, Rows, Transaction

__all__ = ["Database", "Row", "Rows", "Transaction", "is_up"]

One = TypeVar("One")
Result = TypeVar("Result")
PARALLEL_TRANSACTIONS = 2  # of one process, over all calls of `in_parallel`
CONNECT_SECONDS = 5
CANCEL_SECONDS = 2
SESSION_LIMITS = {
    "statement_timeout": "30 min",
    "lock_timeout": "1 min",  # shorter than the time limit of any stage
    "idle_in_transaction_session_timeout": "10 min",
    "tcp_keepalives_idle": "60",
}


class Database:
    """A pool of connections to one schema of a database, opened by the first transaction."""

    def __init__(
        self,
        url: str,
        connections: int = 16,
        seconds: float = CONNECT_SECONDS,
        limits: Mapping[str, str] = MappingProxyType({}),  # of a session, beside or instead of the usual ones
        schema: str = sql.LIVE,  # in place of the one that the SQL files name
    ) -> None:
        postgres_errors.check(url)
        self._url, self._schema = url, schema
        self._threads = ThreadPoolExecutor(PARALLEL_TRANSACTIONS, "transaction")
        self._pool: ConnectionPool[psycopg.Connection[Row]] = ConnectionPool(
            url,
            min_size=0,
            max_size=connections,
            timeout=seconds,
            open=False,
            check=ConnectionPool.check_connection,
            configure=partial(_set_limits, {**SESSION_LIMITS, **limits, "otcpipe.release": sql.release()}),
            kwargs={
                "row_factory": dict_row,
                "connect_timeout": CONNECT_SECONDS,
                "application_name": "otcpipe",
                "keepalives_idle": 30,  # with the next two: a server that vanished is noticed within a minute
                "keepalives_interval": 10,
                "keepalives_count": 3,
            },
        )

    @property
    def address(self) -> str:
        """Host and port, without credentials."""
        return postgres_errors.address(self._url)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction that commits at the end of the block and rolls back on an error.

        Raises Unreachable if the server does not answer, TooSoon if a lock cannot be had in time, and the reason
        given to `StageWork.stop` if the stage was stopped.
        """
        with postgres_errors.translated(self._url):
            self._open()
            with (
                self._pool.connection() as connection,
                _cancellable(connection),
                closing(Transaction(connection, self._schema)) as transaction,
            ):
                yield transaction

    @contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        """Open a transaction that only reads, from one state of the database; a replica allows it too.

        Raises OtcpipeError for every error of the server.
        """
        with postgres_errors.translated_for_readers(self._url), self.transaction() as transaction:
            transaction.script(sql.statements()["begin_snapshot"])
            yield transaction

    def in_parallel(self, work: Callable[[Transaction, One], Result], over: Iterable[One]) -> list[Result]:
        """Call `work` for each element, each in its own transaction, and return the results in order.

        Waits for all of them, then raises the first error.
        """

        def run(one: One) -> Result:
            with self.transaction() as transaction:
                return work(transaction, one)

        futures: list[Future[Result]] = []
        try:
            # extend() keeps what it has if submit() is interrupted, so that all started work is waited for
            futures.extend(self._threads.submit(copy_context().run, run, one) for one in over)
        finally:
            wait(futures)
        cancellation.check()
        return [future.result() for future in futures]

    def maintain(self, name: str) -> None:
        """Run a statement that PostgreSQL does not allow inside a transaction, such as VACUUM."""
        with (
            postgres_errors.translated(self._url),
            psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection,
            _cancellable(connection),
        ):
            connection.execute(sql.statements(self._schema)[name].encode())

    def migrate(self) -> list[str]:
        """Bring the schema up to date; return the names of the migrations that were applied.

        Raises Unready if a release before 0.1.0 made the database.
        """
        return migrations.migrate(self.transaction)

    def client_environment(self) -> dict[str, str]:
        """Return the variables by which psql connects to this database; one is the password."""
        options = psycopg.pq.Conninfo.parse(self._url.encode())
        return {one.envvar.decode(): one.val.decode() for one in options if one.envvar and one.val is not None}

    def close(self) -> None:
        """Close all connections; running parallel transactions end first."""
        self._threads.shutdown()
        self._pool.close()

    def _open(self) -> None:
        """Open the pool after one plain connection: a pool retries until its timeout and hides the server's error."""
        if self._pool.closed:
            psycopg.connect(self._url, connect_timeout=CONNECT_SECONDS).close()
            self._pool.open()


def is_up(environment: Mapping[str, str]) -> bool:
    """Return whether the server of OTCPIPE_DATABASE_URL answers a query."""
    try:
        with psycopg.connect(environment["OTCPIPE_DATABASE_URL"], connect_timeout=2) as connection:
            connection.execute("select 1")
    except psycopg.OperationalError:
        return False
    return True


def _cancellable(connection: "psycopg.Connection[Any]") -> AbstractContextManager[None]:
    """Let `StageWork.stop` cancel the connection's statement while the block lasts."""
    return cancellation.cancellable_by(partial(connection.cancel_safe, timeout=CANCEL_SECONDS))


def _set_limits(limits: Mapping[str, str], connection: psycopg.Connection[Row]) -> None:
    """Bound statements and locks in time, and end transactions whose client vanished."""
    for name, value in limits.items():
        connection.execute("select set_config(%s, %s, false)", [name, value])
    connection.commit()
