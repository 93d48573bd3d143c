"""Copies of the database: taken like a dump, put in its place like a restore, or an empty one after a loss."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import psycopg

from otcpipe import resources
from tests.chaos.world import World

EMPTY = "otcpipe"  # the servers' own database: migrated, and never used
PATIENCE_SECONDS = 20


def keep_dump(world: World) -> None:
    """Copy the database."""
    name = f"dump_{secrets.token_hex(6)}"
    if _change(world, lambda admin: _copy(admin, _current(), name)):
        world.dumps.append(name)


def restore(world: World, name: str) -> None:
    """Replace the database with a copy: PostgreSQL forgets everything since, while Redis and S3 do not."""

    def swap(admin: "psycopg.Connection[tuple[object, ...]]") -> None:
        _run(admin, f"drop database if exists {_current()} with (force)")
        _copy(admin, name, _current())

    world.restored += 1
    assert _change(world, swap), "the database could not be restored"


def drop_dumps(world: World) -> None:
    def drop(admin: "psycopg.Connection[tuple[object, ...]]") -> None:
        for name in world.dumps:
            _run(admin, f"drop database if exists {name} with (force)")

    _change(world, drop)


def _change(world: World, change: Callable[["psycopg.Connection[tuple[object, ...]]"], None]) -> bool:
    """Retry until it succeeds, as an operator would: the server may be down, or the database in use."""

    def is_done() -> bool:
        server = resources.settings()["DATABASE_URL"].removesuffix(f"/{_current()}")
        with (
            suppress(psycopg.Error),
            psycopg.connect(f"{server}/postgres", autocommit=True, connect_timeout=2) as admin,
        ):
            change(admin)
            return True
        return False

    return world.wait(PATIENCE_SECONDS, is_done)


def _copy(admin: "psycopg.Connection[tuple[object, ...]]", source: str, name: str) -> None:
    """Create the copy; requires that no session is connected to the source."""
    _run(admin, f"drop database if exists {name} with (force)")
    _run(admin, f"alter database {source} allow_connections false")
    try:
        admin.execute("select pg_terminate_backend(pid, 1000) from pg_stat_activity where datname = %s", [source])
        _run(admin, f"create database {name} template {source}")
    finally:
        _run(admin, f"alter database {source} allow_connections true")


def _run(admin: "psycopg.Connection[tuple[object, ...]]", statement: str) -> None:
    admin.execute(statement.encode())


def _current() -> str:
    return urlsplit(resources.settings()["DATABASE_URL"]).path.removeprefix("/")
