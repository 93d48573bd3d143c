"""What is due and nobody is at: found by comparing the ledger with Redis, the stored objects and the calendar."""

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
PATIENCE = timedelta(seconds=5)  # between the ledger's commit and the message
ASK_AGAIN = timedelta(hours=1)
FRESH = {"generation": 0, "request": None, "is_last": False}
VERSIONS = {stage.name: stage.code_version for stage in definition.PIPELINE}


@dataclass(frozen=True)
class Finding:
    """A run that ought to be under way, and what became of it."""

    run: Run
    why: str


def find(
    database: Database, store: ObjectStore, prefix: str, message_ids: Container[str], now: datetime
) -> Iterator[Finding]:
    """Find what is due without a message and without a worker, the surest first; what is dead is not among it."""
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
        yield Finding(run, "it was not published when last asked for")


def unasked(database: Database, prefix: str, since: date | None, now: datetime) -> Iterator[Finding]:
    """Partitions that the calendar says are due, since the first that was ever asked for, and that never were."""
    wanted = planning.expected_partitions(database, now, since, planning.asked_tiers(database, since))
    states = {Partition(row["week_ending"], row["tier"]) for row in ledger.partitions(database)}
    for partition in wanted:
        if partition not in states:
            key = keys.of_partition(prefix, partition)
            yield Finding(Run(definition.named("fetch"), key), "it is due and was never asked for")


def send_stranded(
    database: Database,
    store: ObjectStore,
    prefix: str,
    message_ids: Container[str],
    now: datetime,
    send: Callable[[Run], None],
) -> list[Finding]:
    """Send what `find` finds, each at once; a message too many changes nothing."""
    found = []
    decisions.synchronize(database, store, prefix, log.warning)
    for finding in find(database, store, prefix, message_ids, now):
        send(ledger.request(database, finding.run))
        found.append(finding)
    return found


def stale(database: Database, prefix: str, request: str) -> list[Finding]:
    """For each capture the first stage that an older version of its code did; the stages after it follow."""
    with database.transaction() as transaction:
        rows = transaction.rows("stale", stages=list(VERSIONS), versions=list(VERSIONS.values()))
    runs = [(_run(row | {"request": request, "is_last": False}, prefix), row["code_version"]) for row in rows]
    return [Finding(run, f"made by version {version}") for run, version in runs if run]


def _run(row: Row, prefix: str, now: datetime | None = None) -> Run | None:
    """The run of a ledger's row; None, with a warning, where its prefix, week or stage is none."""
    try:
        key = keys.parse(row["key"], prefix, now)
        return Run(definition.named(row["stage"]), key, row["generation"], row["request"], is_last=row["is_last"])
    except Invalid as error:
        log.warning("A row of the ledger is passed over: %s", error)
        return None


def _unknown(database: Database, store: ObjectStore, prefix: str, now: datetime) -> Iterator[Run]:
    """Observations that were stored and then forgotten, as after the loss of Postgres."""
    stored = [key for key in store.keys(f"{prefix}/fetched/") if key.endswith(".json")]
    with database.transaction() as transaction:
        known = {row["key"] for row in transaction.rows("cached_keys")}
    for key in stored:
        run = None if key in known else _run({"stage": "cache", "key": key, **FRESH}, prefix, now)
        if run:
            yield run


def _unsettled(database: Database, prefix: str) -> Iterator[Finding]:
    """What decisions, grades and restored tables leave to be done, although no stage asked for it."""
    with database.transaction() as transaction:
        found = {
            "it should count and does not, or the other way round": transaction.rows("misapplied"),
            "it is no longer held": transaction.rows("freed"),
            "its metrics are due": transaction.rows("uncomputed", reach=definitions.max_lookahead()),
        }
    for why, rows in found.items():
        for row in rows:
            run = _run(row | {"request": f"unsettled {uuid.uuid4()}", "is_last": False}, prefix)
            if run:
                yield Finding(run, why)


def _absent(database: Database, prefix: str, now: datetime) -> Iterator[Run]:
    """Partitions that FINRA did not have when asked, and that the calendar says are due."""
    with database.transaction() as transaction:
        rows = transaction.rows("absent", asked_before=now - ASK_AGAIN)
    for row in rows:
        if weeks.due_at(row["week_ending"], row["tier"]) <= now:
            yield Run(definition.named("fetch"), keys.parse(row["key"], prefix), request=f"absent {now.isoformat()}")
