"""What PostgreSQL's errors mean: which of them are outages, and what a person can do about each."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

from otcpipe.errors import Invalid, TooSoon, Unreachable, Unready

OUTAGES = ("08", "40", "53", "55", "57P")  # SQLSTATE: connections, conflicts, resources, locks, shutdowns
BUSY_SECONDS = 3
NO_PASSWORD = re.compile("password authentication failed|no password supplied", re.IGNORECASE)
REFUSAL = re.compile(r"\b(?:FATAL|ERROR): +(.*)")  # of the server, at the end of what the client library says


def check(url: str) -> None:
    """Raises Invalid for a URL that the client library cannot read; what it says would show the URL."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise Invalid(
            "OTCPIPE_DATABASE_URL must be a URL that libpq reads: see its host and the names of its parameters."
        ) from None


def address(url: str) -> str:
    """Host and port, or several."""
    hosts = urlsplit(url).netloc.rpartition("@")[2]
    return hosts if re.search(r":[0-9]+$", hosts) else f"{hosts}:5432"


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Raises Unreachable for an outage, Unready for what the server lacks, TooSoon while a lock is not to be had.

    Other errors stay what they are.
    """
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise Unready("The database lacks otcpipe's tables: run `otcpipe migrate`.") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise Unready(f"The role in OTCPIPE_DATABASE_URL lacks rights: {_first_line(str(error))}.") from error
    except psycopg.errors.LockNotAvailable as error:
        raise TooSoon("PostgreSQL is busy: another transaction keeps a lock; try again.", BUSY_SECONDS) from error
    except PoolTimeout as error:
        raise _refusal(url) from error
    except psycopg.OperationalError as error:
        if error.sqlstate and not error.sqlstate.startswith(OUTAGES):
            raise  # a limit of Postgres itself, or the time limit: waiting mends nothing
        raise _outage(url, error) from error


def _refusal(url: str) -> Unreachable:
    """What the server says to one more attempt: a pool knows only that it waited in vain."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError as error:
        return _outage(url, error)
    return Unreachable(f"PostgreSQL at {address(url)} does not answer: all connections are in use")


def _outage(url: str, error: psycopg.OperationalError) -> Unreachable:
    said, where = str(error), f"PostgreSQL at {address(url)}"
    if NO_PASSWORD.search(said):
        return Unreachable(f"{where} refuses the password of user {_user(url, error)}.")
    if not error.sqlstate and (refused := REFUSAL.search(said)):
        return Unreachable(f"{where} refuses: {refused[1]}")
    return Unreachable(f"{where} {'cannot' if error.sqlstate else 'does not answer'}: {_first_line(said)}")


def _user(url: str, error: psycopg.OperationalError) -> str:
    if error.pgconn and error.pgconn.user:
        return error.pgconn.user.decode(errors="replace")
    return unquote(urlsplit(url).username or "") or "nobody"


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0]
