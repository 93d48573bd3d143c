"""Partitions: the state of each; of one, its captures with their grades, the runs of its stages, and its rejects."""

from datetime import date, datetime

from otcpipe.pipeline import coverage, definition
from otcpipe.records import Partition
from otcpipe.storage.postgres import Database, Row

MAX_REJECTS = 50
OF_CELL = ("state", "days_late", "stage", "restated", "grade", "reason")


def states(database: Database, now: datetime, since: date | None, first: date | None, last: date | None) -> list[Row]:
    """Return the state of each partition of these weeks, oldest first."""
    return [
        {"week_ending": cell.partition.week_ending, "tier": cell.partition.tier}
        | {name: getattr(cell, name) for name in OF_CELL}
        for cell in coverage.cells(database, now, since, first, last)
    ]


def partition(database: Database, of: Partition) -> Row:
    """Return `captures`, `runs` and the first `rejects`, each oldest first."""
    place = {"week_ending": of.week_ending, "tier": of.tier}
    with database.transaction() as transaction:
        return {
            "captures": transaction.rows("list_captures", **place),
            "runs": transaction.rows("stage_runs", **place, stages=[stage.name for stage in definition.PIPELINE]),
            "rejects": transaction.rows("rejects_of", **place, limit=MAX_REJECTS),
        }
