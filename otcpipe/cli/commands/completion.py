"""What the shell completes: names of the code, and weeks and symbols if the database answers at once."""

from collections.abc import Iterable

from otcpipe.datasets import ALL_TIERS, SCOPES, TIERS

SECONDS = 1  # to connect: a shell that waits for a server is worse than one that completes nothing
MAX_SUGGESTIONS = 100


def tiers(incomplete: str) -> list[str]:
    """Return the tiers that begin with a text."""
    return _beginning(incomplete, TIERS)


def venue_tiers(incomplete: str) -> list[str]:
    """Return the tiers that begin with a text, and ALL_TIERS."""
    return _beginning(incomplete, (*TIERS, ALL_TIERS))


def scopes(incomplete: str) -> list[str]:
    """Return the scopes that begin with a text."""
    return _beginning(incomplete, SCOPES)


def orders(incomplete: str) -> list[str]:
    """Return the orders of `top` that begin with a text."""
    return _beginning(incomplete, ("volume", "trades", "change", "hhi", "ats-fraction", "unusual"))


def formats(incomplete: str) -> list[str]:
    """Return the formats of an export that begin with a text."""
    return _beginning(incomplete, ("parquet", "csv"))


def stages(incomplete: str) -> list[str]:
    """Return the stages that begin with a text."""
    from otcpipe.pipeline import definition

    return _beginning(incomplete, (stage.name for stage in definition.PIPELINE))


def metrics(incomplete: str) -> list[str]:
    """Return the metrics that begin with a text."""
    from otcpipe.storage import sql

    return _beginning(incomplete, sql.metric_files())


def tables(incomplete: str) -> list[str]:
    """Return the tables to export that begin with a text."""
    from otcpipe.storage import sql

    return _beginning(incomplete, ("venue_volume", *metrics(""), *sql.derived_files()))


def described_tables(incomplete: str) -> list[str]:
    """Return the tables and views that begin with a text."""
    from otcpipe.metrics import catalog

    return _beginning(incomplete, catalog.described())


def weeks(incomplete: str) -> list[str]:
    """Return the loaded weeks that begin with a text, newest first."""
    return _stored("completed_weeks", incomplete)


def symbols(incomplete: str) -> list[str]:
    """Return the symbols of the newest weeks that begin with a text, in any case."""
    return _stored("completed_symbols", incomplete)


def venues(incomplete: str) -> list[str]:
    """Return the MPIDs and CRD numbers of the newest weeks' venues that begin with a text, in any case."""
    return _stored("completed_venues", incomplete)


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.casefold().startswith(incomplete.casefold())]


def _stored(query: str, incomplete: str) -> list[str]:
    """Return what a query finds; nothing if no server is set, or it does not answer."""
    from otcpipe import resources
    from otcpipe.errors import OtcpipeError
    from otcpipe.storage.postgres import Database

    try:
        database = Database(resources.settings()["DATABASE_URL"], connections=1, seconds=SECONDS)
        with database.transaction() as transaction:
            rows = transaction.rows(query, start=incomplete, limit=MAX_SUGGESTIONS)
    except OtcpipeError:
        return []
    return [str(row["name"]) for row in rows]
