"""Sources of lost runs: rows of the ledger, stored objects, decisions, and the calendar."""

import logging
import uuid
from collections.abc import Container, Iterator
from datetime import date, datetime, timedelta

from otcpipe import weeks
from otcpipe.errors import Invalid
from otcpipe.metrics import definitions
from otcpipe.pipeline import definition, ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.storage import keys
from otcpipe.storage.postgres import Database, Row
from otcpipe.storage.s3 import ObjectStore

log = logging.getLogger(__name__)
METRICS_DUE = "its metrics are due"
RETRY_ABSENT = timedelta(hours=1)
FIRST_RUN = {"generation": 0, "request": None, "is_last": False}


def run_of(row: Row, prefix: str, now: datetime | None = None) -> Run | None:
    """Return the run of a ledger row; log a warning and return None if its prefix, week or stage is invalid."""
    try:
        key = keys.parse(row["key"], prefix, now)
        return Run(definition.named(row["stage"]), key, row["generation"], row["request"], is_last=row["is_last"])
    except Invalid as error:
        log.warning("A row of the ledger is skipped: %s", error)
        return None


def unknown(database: Database, store: ObjectStore, prefix: str, now: datetime) -> Iterator[Run]:
    """Yield the cache runs of stored observations that the database lacks, as after the loss of PostgreSQL."""
    stored = [key for key in store.keys(f"{prefix}/fetched/") if key.endswith(".json")]
    with database.transaction() as transaction:
        known = {row["key"] for row in transaction.rows("cached_keys")}
    for key in stored:
        run = None if key in known else run_of({"stage": "cache", "key": key, **FIRST_RUN}, prefix, now)
        if run:
            yield run


def unsettled(database: Database, prefix: str) -> Iterator[tuple[Run, str]]:
    """Yield the runs that decisions, grades and restored tables make due, each with the reason."""
    with database.transaction() as transaction:
        found = {
            "whether it counts was changed, but not applied": transaction.rows("misapplied"),
            "it is no longer held": transaction.rows("freed"),
        }
    for why, rows in found.items():
        for row in rows:
            run = run_of(row | {"request": f"unsettled {uuid.uuid4()}", "is_last": False}, prefix)
            if run:
                yield run, why
    for run in uncomputed(database, prefix):
        yield run, METRICS_DUE
    for run in outrun(database, prefix):
        yield run, "metrics of its week were computed since it began"


def uncomputed(database: Database, prefix: str, first: date = date.min, last: date = date.max) -> Iterator[Run]:
    """Yield a compute run for each of the weeks that has metrics due, and that no run under way is to compute."""
    with database.transaction() as transaction:
        rows = transaction.rows("uncomputed", reach=definitions.max_lookahead(), first=first, last=last)
    for row in rows:
        run = run_of(row | {"request": f"{ledger.DUE}{uuid.uuid4()}", "is_last": False}, prefix)
        if run:
            yield run


def outrun(database: Database, prefix: str) -> Iterator[Run]:
    """Yield a run of each stage after compute that all need, for each week computed since it began."""
    stages = [stage.name for stage in definition.required_after("compute")]
    with database.transaction() as transaction:
        rows = transaction.rows("outrun", stages=stages) if stages else []
    for row in rows:
        run = run_of(row | {"request": f"computed {row['computed_at']}", "is_last": False}, prefix)
        if run:
            yield run


def absent(database: Database, prefix: str, tiers: Container[str], now: datetime) -> Iterator[Run]:
    """Yield the fetches of partitions of these tiers that are due but were not published when last requested."""
    with database.transaction() as transaction:
        rows = transaction.rows("absent", asked_before=now - RETRY_ABSENT)
    for row in rows:
        if row["tier"] in tiers and weeks.due_at(row["week_ending"], row["tier"]) <= now:
            yield Run(definition.named("fetch"), keys.parse(row["key"], prefix), request=f"absent {now.isoformat()}")
