"""Bring the schema of a database up to date, whatever release made it."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from otcpipe.errors import Outdated, Unready
from otcpipe.storage import dictionary, sql
from otcpipe.storage.transaction import Transaction

FIRST_OF_0_1_0, LAST_OF_0_1_0 = "0001_records", "0011_sums_side_by_side"  # migrations of the first release
TOO_OLD = (
    "The database was made by a release before 0.1.0, and cannot be migrated:"
    " drop its schema otc, then run `otcpipe migrate` and `otcpipe rebuild`."
)


Begin = Callable[[], AbstractContextManager[Transaction]]


def migrate(begin: Begin) -> list[str]:
    """Create or upgrade all tables, views and functions; return the names of the migrations that were applied.

    Each migration has its own transaction; functions, metrics and descriptions are renewed each time. Raises Unready
    if the database was made by a release before 0.1.0, and Outdated if a newer release migrated it.
    """
    first, others = sql.functions()
    with begin() as transaction:
        transaction.rows("lock_migrations")  # two would collide even at `create ... if not exists`
        transaction.script(sql.statements()["create_migrations"])
        refuse_newer(transaction)
        applied = _upgrade(transaction)
        transaction.script(first)
    applied += [name for name, text in sql.migrations() if _apply(begin, name, text)]
    with begin() as transaction:
        transaction.rows("lock_migrations")
        metrics = [sql.named(f"metrics/{metric}.sql") for metric in sql.metric_files()]
        for text in [
            *others,
            *(file["table"] for file in metrics),
            *(file["function"] for file in metrics),
            *sql.derived_files().values(),
        ]:
            transaction.script(text)
        transaction.run("note_first_metrics", metrics=[*sql.metric_files()])
        transaction.rows("create_history", metrics=[*sql.metric_files()])
        transaction.rows("describe", **_comments())
    return applied


def require_current(transaction: Transaction) -> None:
    """Raise Outdated if a newer release migrated the database, and Unready if migrations of this one are missing."""
    applied = refuse_newer(transaction)
    missing = [name for name, _ in sql.migrations() if name not in applied]
    if missing:
        raise Unready(f"The database lacks {', '.join(missing)}: run `otcpipe migrate`.")


def newer(applied: Iterable[str]) -> list[str]:
    """Return the applied migrations that this release does not know, none for a database of release 0.1.0."""
    known = {name for name, _ in (*sql.migrations(), *sql.upgrades())}
    return [] if FIRST_OF_0_1_0 in applied else sorted({*applied} - known)


def refuse_newer(transaction: Transaction) -> set[str]:
    """Return the names of the applied migrations; raises Outdated if this release does not know one of them."""
    applied = _applied(transaction)
    unknown = newer(applied)
    if unknown:
        raise Outdated(
            f"A newer release of otcpipe migrated the database ({', '.join(unknown)}): install that release here;"
            " this one changes nothing."
        )
    return applied


def _comments() -> dict[str, list[str | None]]:
    rows = [(one.name, one.column, one.comment) for one in dictionary.descriptions()]
    return dict(zip(("objects", "columns", "texts"), map(list, zip(*rows, strict=True)), strict=True))


def _upgrade(transaction: Transaction) -> list[str]:
    """Bring the tables of release 0.1.0 to the first migration; return the names of the steps."""
    before = _applied(transaction)
    if FIRST_OF_0_1_0 not in before:
        return []
    if LAST_OF_0_1_0 not in before:
        raise Unready(TOO_OLD)
    steps = [(name, text) for name, text in sql.upgrades() if name not in before]
    for _, text in steps:
        transaction.script(text)
    transaction.run("note_upgrade", name=sql.migrations()[0][0])
    return [name for name, _ in steps]


def _apply(begin: Begin, name: str, text: str) -> bool:
    with begin() as transaction:
        transaction.rows("lock_migrations")
        if name in _applied(transaction):
            return False
        transaction.script(text)
        transaction.run("note_migration", name=name)
        return True


def _applied(transaction: Transaction) -> set[str]:
    return {row["name"] for row in transaction.rows("applied_migrations")}
