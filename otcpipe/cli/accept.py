"""Accept a partition that its grade holds."""

import uuid

from otcpipe import resources, weeks
from otcpipe.answers import arguments
from otcpipe.broker import actors
from otcpipe.cli.console import say
from otcpipe.errors import Invalid
from otcpipe.pipeline import decisions, definition, ledger, planning
from otcpipe.pipeline.decisions import Decision
from otcpipe.pipeline.ledger import Run
from otcpipe.quality import grading
from otcpipe.records import Partition
from otcpipe.storage import keys


def accept(week: str, tier: str, reason: str) -> None:
    """Record that a held partition is right as it is, and compute its metrics. Raises Invalid if it is not held."""
    now, database = resources.settings().now(), resources.database()
    partition = Partition(weeks.parse_week(week, now), arguments.tier(tier))
    if not reason.strip():
        raise Invalid("A reason is needed: it is stored with the partition.")
    actors.ping()
    grade = grading.held(database, partition)
    decision = Decision("accept", partition, grade["digest"], reason.strip(), now, grade["grade"], grade["score"])
    decisions.record(database, resources.store(), resources.settings()["S3_PREFIX"], decision)
    (row,) = [row for row in ledger.partitions(database, partition.week_ending) if row["tier"] == partition.tier]
    key = keys.parse(row["normalized_key"], resources.settings()["S3_PREFIX"])
    run = Run(definition.named("compute"), key, ledger.generation_of(database, key), request=f"accept {uuid.uuid4()}")
    planning.enqueue(database, run, actors.send)
    say(f"{partition.tier} {partition.week_ending}: accepted as it is ({'; '.join(grade['reasons'])}).")
