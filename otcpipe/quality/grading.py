"""Grades in PostgreSQL, one for each capture. A newest capture of grade F is held unless a person accepts it.

A grade is a function of the set of captures and decisions: when a partition changes, the captures of the tier near it
are graded again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import date, datetime

from otcpipe.errors import Invalid, OnHold
from otcpipe.metrics import definitions
from otcpipe.quality.assessment import Assessment, assess, is_sound, trusted
from otcpipe.quality.measures import WEEKS_CHANGED, WEEKS_READ, Measures, neighbours
from otcpipe.records import Partition
from otcpipe.storage.postgres import Database, Row, Transaction

MEASURES = tuple(field.name for field in fields(Measures))


def store_measures(transaction: Transaction, capture: Row, measured: Row, now: datetime) -> None:
    """Store the measures of a capture. `measured` holds `profile.of` its records, and covers_all if it differs."""
    unreconciled = capture["unreconciled"]
    row = {"covers_all": capture["covers"] == "all"} | measured
    counts = {name: capture[name] for name in ("capture_id", "week_ending", "tier", "digest", "rows", "rejects")}
    values = {"unreconciled": None if unreconciled is None else len(unreconciled), "now": now}
    transaction.run("store_measures", **counts, **row, **values)


def unmeasured(transaction: Transaction, captures: Sequence[int]) -> bool:
    """Return whether any of the captures has no measures yet."""
    return bool(transaction.rows("unmeasured", captures=list(captures)))


def regrade(transaction: Transaction, partition: Partition, now: datetime) -> None:
    """Grade all captures of the tier near a week that changed. Partitions that are newly held or released become due.

    One transaction at a time grades a tier; its lock is the last that a transaction takes.
    """
    transaction.rows("lock_grades", tier=partition.tier)
    held = _held(transaction, partition.tier)
    span = {"tier": partition.tier, "week_ending": partition.week_ending, "days": 7 * WEEKS_READ}
    rows = transaction.rows("quality_around", **span)
    for row, assessment in assessed(rows, partition.week_ending):
        values = asdict(assessment) | {"reasons": list(assessment.reasons)}
        if any(row[name] != value for name, value in values.items()):
            transaction.run("store_grade", capture_id=row["capture_id"], **values, now=now)
    for week in sorted(held ^ _held(transaction, partition.tier)):
        definitions.mark_due(transaction, week)


def assessed(rows: Iterable[Row], week: date) -> list[tuple[Row, Assessment]]:
    """Return the captures whose grade may depend on a week, each with its grade."""
    rows = _with_rows_before(rows)
    newest = {row["week_ending"]: row for row in rows if row["is_newest"]}
    accepted = {friday for friday, row in newest.items() if row["is_accepted"]}
    compared = trusted([_measures(row) for row in newest.values()], accepted)
    near = [row for row in rows if abs((row["week_ending"] - week).days) <= 7 * WEEKS_CHANGED]
    return [(row, assess(_measures(row), neighbours(row["week_ending"], compared))) for row in near]


def _with_rows_before(rows: Iterable[Row]) -> list[Row]:
    """Return the captures, in order of observation, each with the rows of the newest sound one before it.

    Of the same coverage. Sound is one without a fault of its own, or accepted: what was held must not be the measure
    of what follows it.
    """
    sound: dict[tuple[date, str], int] = {}
    found = []
    for row in rows:
        place = (row["week_ending"], row["covers"])
        measured = row | {"rows_before": sound.get(place) if row["counts"] else None}
        found.append(measured)
        if row["counts"] and (row["is_accepted"] or is_sound(_measures(measured))):
            sound[place] = row["rows"]
    return found


def require(database: Database, partition: Partition) -> None:
    """Raise OnHold while the partition is held: no metrics are computed from it."""
    with database.transaction() as transaction:
        row = transaction.row("quality", **asdict(partition))
    if row and row["is_held"]:
        raise OnHold(f"grade F: {'; '.join(row['reasons'])}; see `otcpipe accept`")


def held(database: Database, partition: Partition) -> Row:
    """Return the grade of a held partition; raises Invalid if it is not held."""
    with database.transaction() as transaction:
        row = transaction.row("quality", **asdict(partition))
    if row is None or not row["is_held"]:
        state = f"its grade is {row['grade']}" if row else "it has no records"
        raise Invalid(f"{partition.tier} of the week ending {partition.week_ending} is not held: {state}.")
    return row


def _held(transaction: Transaction, tier: str) -> set[date]:
    return {row["week_ending"] for row in transaction.rows("held_weeks", tier=tier)}


def _measures(row: Row) -> Measures:
    return Measures(**{name: row[name] for name in MEASURES})
