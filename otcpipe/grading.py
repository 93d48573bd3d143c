"""Grades in Postgres: given with the records, asked before anything is computed, overruled by an acceptance."""

from dataclasses import asdict, fields
from datetime import datetime

import pyarrow as pa

from otcpipe import measures, quality
from otcpipe.errors import Invalid, OnHold
from otcpipe.quality import Judgement, Measures
from otcpipe.records import Partition
from otcpipe.warehouse import Row, Transaction, Warehouse

WEEKS_AROUND = 13  # before and after: the weeks that a partition is judged beside
MEASURES = tuple(field.name for field in fields(Measures))


def grade(transaction: Transaction, partition: Partition, now: datetime, records: pa.Table | None) -> Judgement:
    """Judge a partition's current records, in the transaction that brought them; without any, the tables'."""
    place = asdict(partition)
    current = transaction.table("current_records", **place) if records is None else records
    row = transaction.rows("newest_capture", **place)[0] | measures.of(current)
    beside = transaction.rows("quality_around", **place, days=7 * WEEKS_AROUND)
    judgement = quality.judge(_measures(row), [_measures(other) for other in beside])
    verdict = asdict(judgement) | {"reasons": list(judgement.reasons)}
    transaction.run("store_quality", **row, **verdict, now=now)
    return judgement


def is_judged(transaction: Transaction, partition: Partition, digest: str) -> bool:
    """Whether the partition's grade is of this content."""
    row = transaction.row("quality", **asdict(partition))
    return row is not None and row["digest"] == digest


def require(warehouse: Warehouse, partition: Partition) -> None:
    """Raises OnHold unless metrics may be made of the partition."""
    with warehouse.transaction() as transaction:
        row = transaction.row("quality", **asdict(partition))
    if row and row["is_held"]:
        raise OnHold(f"grade F: {'; '.join(row['reasons'])}; see `otcpipe accept`")


def accept(warehouse: Warehouse, partition: Partition, reason: str, now: datetime) -> Row:
    """Take a held partition as it is; its judgement. Raises Invalid when there is nothing to accept."""
    with warehouse.transaction() as transaction:
        row = transaction.row("quality", **asdict(partition))
        if row is None or not row["is_held"]:
            state = f"its grade is {row['grade']}" if row else "no records of it are in"
            raise Invalid(f"{partition.tier} of the week ending {partition.week_ending} is not held: {state}.")
        transaction.run("accept", **asdict(partition), reason=reason, now=now)
        return row


def _measures(row: Row) -> Measures:
    return Measures(**{name: row[name] for name in MEASURES})
