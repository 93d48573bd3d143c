"""What the tables hold that cannot be right: impossible weeks, clocks that were set back, files that were cut."""

from dataclasses import asdict
from datetime import UTC, datetime

from otcpipe.records import Partition
from otcpipe.storage.postgres import Database, Row
from otcpipe.weeks import today

MUCH_SMALLER = 0.8  # of a neighbour's records: restatements change a few, a cut download loses many
SHOWN = 3  # of the keys that a sentence names


def find(database: Database, now: datetime) -> list[str]:
    """One sentence for each kind of row or observation that needs attention."""
    return _impossible(impossible_runs(database, now)) + clocks_set_back(database)


def impossible_runs(database: Database, now: datetime) -> list[Row]:
    """Stage and key of runs whose partition cannot exist, or whose week has not ended; no listing counts them."""
    with database.transaction() as transaction:
        return transaction.rows("impossible_runs", today=today(now))


def drop_impossible_runs(database: Database, now: datetime) -> None:
    """Remove those runs from the ledger, but for one that a worker has in hand."""
    with database.transaction() as transaction:
        transaction.run("drop_impossible_runs", today=today(now))


def clocks_set_back(database: Database) -> list[str]:
    """A sentence for each observation that carries an earlier time than one with older rows."""
    with database.transaction() as transaction:
        rows = transaction.rows("clocks_set_back")
    return [
        f"{row['tier']} {row['week_ending']}: the observation of {row['observed_at'].astimezone(UTC):%Y-%m-%d %H:%M} "
        f"UTC has rows updated on {row['newest_update']}, later than those of an observation with a later time; a "
        f"clock was wrong, or a file was given the wrong --observed-at."
        for row in rows
    ]


def much_smaller(database: Database, partition: Partition, records: int, moment: datetime) -> str | None:
    """A warning where an observation of so many ATS records is much smaller than the one before or after it."""
    with database.transaction() as transaction:
        rows = transaction.rows("neighbouring_sizes", **asdict(partition), moment=moment)
    larger = [row for row in rows if records < MUCH_SMALLER * row["records"]]
    if not larger:
        return None
    neighbour = max(larger, key=lambda row: int(row["records"]))
    return (
        f"Warning: it has {records:,} records, but the observation of "
        f"{neighbour['observed_at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC has {neighbour['records']:,}: "
        f"the download may have been cut."
    )


def _impossible(runs: list[Row]) -> list[str]:
    if not runs:
        return []
    keys = sorted({run["key"] for run in runs})
    named = ", ".join(keys[:SHOWN]) + (f" and {len(keys) - SHOWN:,} more" if len(keys) > SHOWN else "")
    return [f"Ignored, as their weeks cannot exist or have not ended: {named}. `otcpipe reconcile` removes them."]
