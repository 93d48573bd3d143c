"""Translate PostgreSQL's errors: which are outages, which need the user, and what to do about each."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

from otcpipe.errors import Invalid, OtcpipeError, TooSoon, Unreachable, Unready

OUTAGES = ("08", "40", "53", "55", "57P")  # SQLSTATE: connections, conflicts, resources, locks, shutdowns
BUSY_SECONDS = 3
NO_PASSWORD = re.compile("password authentication failed|no password supplied", re.IGNORECASE)
REFUSAL = re.compile(r"\b(?:FATAL|ERROR): +(.*)")  # the server's own words, at the end of libpq's message


def check(url: str) -> None:
    """Raise Invalid if libpq cannot parse the URL; its own message would show the password."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise Invalid(
            "OTCPIPE_DATABASE_URL must be a URL that libpq can parse: check its host and the names of its parameters."
        ) from None


def address(url: str) -> str:
    """Return host and port of a URL, several separated by commas, without credentials."""
    hosts = urlsplit(url).netloc.rpartition("@")[2]
    return hosts if re.search(r":[0-9]+$", hosts) else f"{hosts}:5432"


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Translate errors: Unreachable for an outage, Unready for missing tables or rights, TooSoon for a held lock.

    Other errors are raised unchanged.
    """
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise Unready("The database lacks otcpipe's tables: run `otcpipe migrate`.") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise Unready(f"The role in OTCPIPE_DATABASE_URL lacks rights: {_first_line(str(error))}.") from error
    except psycopg.errors.LockNotAvailable as error:
        raise TooSoon("PostgreSQL is busy: another transaction holds a lock; try again.", BUSY_SECONDS) from error
    except PoolTimeout as error:
        raise _refusal(url) from error
    except psycopg.OperationalError as error:
        if error.sqlstate and not error.sqlstate.startswith(OUTAGES):
            raise  # a limit of PostgreSQL itself, or the time limit: a retry would not help
        raise _outage(url, error) from error


@contextmanager
def translated_for_readers(url: str) -> Iterator[None]:
    """Translate every error: as `translated` does, and OtcpipeError with the server's own words for the others."""
    try:
        with translated(url):
            yield
    except psycopg.errors.QueryCanceled as error:
        raise OtcpipeError(
            f"PostgreSQL stopped the query: {_first_line(str(error))}; ask for fewer weeks or symbols."
        ) from error
    except psycopg.Error as error:
        raise OtcpipeError(f"PostgreSQL at {address(url)} refuses the query: {_first_line(str(error))}.") from error


def _refusal(url: str) -> Unreachable:
    """Return the error of one more attempt to connect: a pool only knows that it waited in vain."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError as error:
        return _outage(url, error)
    return Unreachable(f"PostgreSQL at {address(url)} does not answer: all connections are in use")


def _outage(url: str, error: psycopg.OperationalError) -> Unreachable:
    message, server = str(error), f"PostgreSQL at {address(url)}"
    if NO_PASSWORD.search(message):
        return Unreachable(f"{server} refuses the password of user {_user(url, error)}.")
    if not error.sqlstate and (refused := REFUSAL.search(message)):
        return Unreachable(f"{server} refuses: {refused[1]}")
    return Unreachable(f"{server} {'fails' if error.sqlstate else 'does not answer'}: {_first_line(message)}")


def _user(url: str, error: psycopg.OperationalError) -> str:
    if error.pgconn and error.pgconn.user:
        return error.pgconn.user.decode(errors="replace")
    return unquote(urlsplit(url).username or "") or "nobody"


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0]
