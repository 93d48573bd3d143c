"""Bring a database's schema up to date: migrations once each, functions and metric tables every time."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from otcpipe.storage import sql
from otcpipe.storage.transaction import Transaction

Begin = Callable[[], AbstractContextManager[Transaction]]


def migrate(begin: Begin) -> list[str]:
    """Apply the migrations that are missing, each in its own transaction, and return their names.

    An advisory lock serializes concurrent calls: two would collide even at `create ... if not exists`.
    """
    with begin() as transaction:
        transaction.rows("lock_migrations")
        transaction.script(sql.statements()["create_migrations"])
    applied = [name for name, text in sql.migrations() if _apply(begin, name, text)]
    with begin() as transaction:
        transaction.rows("lock_migrations")
        transaction.script(sql.statements()["trust_functions"])
        for text in sql.functions():
            transaction.script(text)
        for part in ("table", "function"):
            for metric in sql.metric_files():
                transaction.script(sql.named(f"metrics/{metric}.sql")[part])
    return applied


def _apply(begin: Begin, name: str, text: str) -> bool:
    """Apply a migration; return False if it was applied before."""
    with begin() as transaction:
        transaction.rows("lock_migrations")
        if name in {row["name"] for row in transaction.rows("applied_migrations")}:
            return False
        transaction.script(text)
        transaction.run("note_migration", name=name)
        return True
