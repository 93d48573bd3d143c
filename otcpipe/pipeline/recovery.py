"""Find lost runs: due in the ledger, but with no message in Redis and no live worker.

The stored objects and the calendar are compared too, so that lost tables and missed weeks are found as well.
"""

import logging
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from otcpipe.datasets import TIERS
from otcpipe.pipeline import definition, ledger, lost_runs, planning, synchronization
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage import keys
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore

log = logging.getLogger(__name__)
PATIENCE = timedelta(seconds=5)  # allowed between the ledger's commit and the message
VERSIONS = {stage.name: stage.code_version for stage in definition.PIPELINE}


@dataclass(frozen=True)
class Finding:
    """A run that should be under way, and why."""

    run: Run
    why: str


def find(
    database: Database,
    store: ObjectStore,
    prefix: str,
    message_ids: Container[str],
    now: datetime,
    tiers: Container[str] = TIERS,
) -> Iterator[Finding]:
    """Yield what is due and has neither a message nor a worker. Runs with an open dead letter are left out.

    What FINRA had not published is asked for again only of the wanted tiers.
    """
    with database.transaction() as transaction:
        rows = transaction.rows("stranded", patience=PATIENCE)
    for row in rows:
        run = lost_runs.run_of(row, prefix, now)
        if run and run.message_id not in message_ids:
            yield Finding(run, row["why"])
    for run in lost_runs.unknown(database, store, prefix, now):
        yield Finding(run, "its object is in no ledger")
    for run, why in lost_runs.unsettled(database, prefix):
        yield Finding(run, why)
    for run in lost_runs.absent(database, prefix, tiers, now):
        yield Finding(run, "it was not published when last requested")


def never_requested(
    database: Database, prefix: str, tiers: Sequence[str], since: date | None, now: datetime
) -> Iterator[Finding]:
    """Yield the fetches of expected partitions of the wanted tiers that were never requested."""
    expected = planning.expected_partitions(database, now, since, planning.requested_tiers(database, tiers, since))
    known = {Partition(row["week_ending"], row["tier"]) for row in ledger.partitions(database)}
    for partition in expected:
        if partition not in known:
            key = keys.of_partition(prefix, partition)
            yield Finding(Run(definition.named("fetch"), key), "it is due and was never requested")


def send_lost_runs(
    database: Database,
    store: ObjectStore,
    prefix: str,
    message_ids: Container[str],
    now: datetime,
    send: Callable[[Run], None],
    tiers: Container[str] = TIERS,
) -> list[Finding]:
    """Send each run that `find` yields and return them; a superfluous message changes nothing."""
    found = []
    synchronization.synchronize(database, store, prefix, log.warning)
    for finding in find(database, store, prefix, message_ids, now, tiers):
        send(ledger.request(database, finding.run))
        found.append(finding)
    return found


def stale(database: Database, prefix: str, request: str) -> list[Finding]:
    """Return for each capture the first stage that older code did; running it runs the stages after it."""
    with database.transaction() as transaction:
        rows = transaction.rows("stale", stages=list(VERSIONS), versions=list(VERSIONS.values()))
    runs = [
        (lost_runs.run_of(row | {"request": request, "is_last": False}, prefix), row["code_version"]) for row in rows
    ]
    return [Finding(run, f"made by version {version}") for run, version in runs if run]
