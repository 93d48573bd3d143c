"""Find lost runs: due in the ledger, but with no message in Redis and no live worker.

The stored objects and the calendar are compared too, so that lost tables and missed weeks are found as well.
"""

import logging
import uuid
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from otcpipe import weeks
from otcpipe.errors import Invalid
from otcpipe.metrics import definitions
from otcpipe.pipeline import decisions, definition, ledger, planning
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage import keys
from otcpipe.storage.postgres import Database, Row
from otcpipe.storage.s3 import ObjectStore

log = logging.getLogger(__name__)
PATIENCE = timedelta(seconds=5)  # allowed between the ledger's commit and the message
RETRY_ABSENT = timedelta(hours=1)
FIRST_RUN = {"generation": 0, "request": None, "is_last": False}
VERSIONS = {stage.name: stage.code_version for stage in definition.PIPELINE}


@dataclass(frozen=True)
class Finding:
    """A run that should be under way, and why."""

    run: Run
    why: str


def find(
    database: Database, store: ObjectStore, prefix: str, message_ids: Container[str], now: datetime
) -> Iterator[Finding]:
    """Yield what is due and has neither a message nor a worker. Runs with an open dead letter are left out."""
    with database.transaction() as transaction:
        rows = transaction.rows("stranded", patience=PATIENCE)
    for row in rows:
        run = _run(row, prefix, now)
        if run and run.message_id not in message_ids:
            yield Finding(run, row["why"])
    for run in _unknown(database, store, prefix, now):
        yield Finding(run, "its object is in no ledger")
    yield from _unsettled(database, prefix)
    for run in _absent(database, prefix, now):
        yield Finding(run, "it was not published when last requested")


def never_requested(database: Database, prefix: str, since: date | None, now: datetime) -> Iterator[Finding]:
    """Yield the fetches of expected partitions that were never requested."""
    expected = planning.expected_partitions(database, now, since, planning.requested_tiers(database, since))
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
) -> list[Finding]:
    """Send each run that `find` yields and return them; a superfluous message changes nothing."""
    found = []
    decisions.synchronize(database, store, prefix, log.warning)
    for finding in find(database, store, prefix, message_ids, now):
        send(ledger.request(database, finding.run))
        found.append(finding)
    return found


def stale(database: Database, prefix: str, request: str) -> list[Finding]:
    """Return for each capture the first stage that older code did; running it runs the stages after it."""
    with database.transaction() as transaction:
        rows = transaction.rows("stale", stages=list(VERSIONS), versions=list(VERSIONS.values()))
    runs = [(_run(row | {"request": request, "is_last": False}, prefix), row["code_version"]) for row in rows]
    return [Finding(run, f"made by version {version}") for run, version in runs if run]


def _run(row: Row, prefix: str, now: datetime | None = None) -> Run | None:
    """Return the run of a ledger row; log a warning and return None if its prefix, week or stage is invalid."""
    try:
        key = keys.parse(row["key"], prefix, now)
        return Run(definition.named(row["stage"]), key, row["generation"], row["request"], is_last=row["is_last"])
    except Invalid as error:
        log.warning("A row of the ledger is skipped: %s", error)
        return None


def _unknown(database: Database, store: ObjectStore, prefix: str, now: datetime) -> Iterator[Run]:
    """Yield the cache runs of stored observations that the database lacks, as after the loss of PostgreSQL."""
    stored = [key for key in store.keys(f"{prefix}/fetched/") if key.endswith(".json")]
    with database.transaction() as transaction:
        known = {row["key"] for row in transaction.rows("cached_keys")}
    for key in stored:
        run = None if key in known else _run({"stage": "cache", "key": key, **FIRST_RUN}, prefix, now)
        if run:
            yield run


def _unsettled(database: Database, prefix: str) -> Iterator[Finding]:
    """Yield the work that decisions, grades and restored tables cause without any stage requesting it."""
    with database.transaction() as transaction:
        found = {
            "whether it counts was changed, but not applied": transaction.rows("misapplied"),
            "it is no longer held": transaction.rows("freed"),
            "its metrics are due": transaction.rows("uncomputed", reach=definitions.max_lookahead()),
        }
    for why, rows in found.items():
        for row in rows:
            run = _run(row | {"request": f"unsettled {uuid.uuid4()}", "is_last": False}, prefix)
            if run:
                yield Finding(run, why)


def _absent(database: Database, prefix: str, now: datetime) -> Iterator[Run]:
    """Yield the fetches of partitions that are due by the calendar but were not published when last requested."""
    with database.transaction() as transaction:
        rows = transaction.rows("absent", asked_before=now - RETRY_ABSENT)
    for row in rows:
        if weeks.due_at(row["week_ending"], row["tier"]) <= now:
            yield Run(definition.named("fetch"), keys.parse(row["key"], prefix), request=f"absent {now.isoformat()}")
