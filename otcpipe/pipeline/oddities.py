"""Anomalies in the tables: impossible weeks, clocks that were set back, truncated files."""

from dataclasses import asdict
from datetime import UTC, date, datetime

from otcpipe.records import Partition
from otcpipe.storage.postgres import Database, Row
from otcpipe.weeks import today

MUCH_SMALLER = 0.8  # of the records of the observation before or after: restatements change only a few records
MAX_KEYS = 3  # that a sentence names


def find(database: Database, now: datetime, week: date | None = None) -> list[str]:
    """Return one sentence for each anomaly that needs attention, with `week` only for those of that week."""
    return ([] if week else _impossible(impossible_runs(database, now))) + clocks_set_back(database, week)


def impossible_runs(database: Database, now: datetime) -> list[Row]:
    """Return stage and key of runs whose partition cannot exist or has not ended. No listing counts them."""
    with database.transaction() as transaction:
        return transaction.rows("impossible_runs", today=today(now))


def drop_impossible_runs(database: Database, now: datetime) -> None:
    """Delete those runs from the ledger, except one that a worker holds."""
    with database.transaction() as transaction:
        transaction.run("drop_impossible_runs", today=today(now))


def clocks_set_back(database: Database, week: date | None = None) -> list[str]:
    """Return a sentence for each observation whose time is earlier than that of an observation with older rows."""
    with database.transaction() as transaction:
        rows = transaction.rows("clocks_set_back")
    return [
        f"{row['tier']} {row['week_ending']}: the observation of {row['observed_at'].astimezone(UTC):%Y-%m-%d %H:%M} "
        f"UTC has rows updated on {row['newest_update']}, later than those of an observation with a later time; a "
        f"clock was wrong, or a file was imported with the wrong --observed-at."
        for row in rows
        if week in (None, row["week_ending"])
    ]


def much_smaller(database: Database, partition: Partition, records: int, moment: datetime) -> str | None:
    """Return a warning if an observation has far fewer ATS records than the one before or after it; else None."""
    with database.transaction() as transaction:
        rows = transaction.rows("neighbouring_sizes", **asdict(partition), moment=moment)
    larger = [row for row in rows if records < MUCH_SMALLER * row["records"]]
    if not larger:
        return None
    neighbour = max(larger, key=lambda row: int(row["records"]))
    return (
        f"It has {records:,} records, but the observation of "
        f"{neighbour['observed_at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC has {neighbour['records']:,}: "
        f"the download may be truncated."
    )


def _impossible(runs: list[Row]) -> list[str]:
    if not runs:
        return []
    keys = sorted({run["key"] for run in runs})
    named = ", ".join(keys[:MAX_KEYS]) + (f" and {len(keys) - MAX_KEYS:,} more" if len(keys) > MAX_KEYS else "")
    why = "because their weeks cannot exist or have not ended"
    return [f"Ignored, {why}: {named}. `otcpipe reconcile` removes them."]
