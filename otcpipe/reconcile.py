"""What is due and nobody is at: found by comparing the ledger with Redis and with the stored objects."""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from otcpipe import keys, ledger, stages, weeks
from otcpipe.ledger import Run
from otcpipe.store import Store
from otcpipe.warehouse import Row, Warehouse

PATIENCE = timedelta(seconds=5)  # between the ledger's commit and the message
ASK_AGAIN = timedelta(hours=1)
VERSIONS = {stage.name: stage.code_version for stage in stages.PIPELINE}


@dataclass(frozen=True)
class Finding:
    """A run that ought to be under way, and what became of it."""

    run: Run
    why: str


def find(
    warehouse: Warehouse, store: Store, prefix: str, message_ids: Container[str], now: datetime
) -> list[Finding]:
    """All that is due without a message and without a worker; what is dead is not among it."""
    with warehouse.transaction() as transaction:
        waiting = [(_run(row, prefix), row["why"]) for row in transaction.rows("stranded", patience=PATIENCE)]
    return [
        *(Finding(run, why) for run, why in waiting if run.message_id not in message_ids),
        *(Finding(run, "its object is in no ledger") for run in _unknown(warehouse, store, prefix)),
        *(Finding(run, "it was not published when last asked for") for run in _absent(warehouse, prefix, now)),
    ]


def send_stranded(
    warehouse: Warehouse,
    store: Store,
    prefix: str,
    message_ids: Container[str],
    now: datetime,
    send: Callable[[Run], None],
) -> list[Finding]:
    """Send what `find` finds; a message too many changes nothing."""
    found = find(warehouse, store, prefix, message_ids, now)
    for finding in found:
        send(ledger.request(warehouse, finding.run))
    return found


def stale(warehouse: Warehouse, prefix: str, request: str) -> list[Finding]:
    """For each capture the first stage that an older version of its code did; the stages after it follow."""
    with warehouse.transaction() as transaction:
        rows = transaction.rows("stale", stages=list(VERSIONS), versions=list(VERSIONS.values()))
    return [
        Finding(_run(row | {"request": request, "is_last": False}, prefix), f"made by version {row['code_version']}")
        for row in rows
    ]


def _run(row: Row, prefix: str) -> Run:
    key = keys.parse(row["key"], prefix)
    return Run(stages.named(row["stage"]), key, row["generation"], row["request"], is_last=row["is_last"])


def _unknown(warehouse: Warehouse, store: Store, prefix: str) -> Iterator[Run]:
    """Observations that were stored and then forgotten, as after the loss of Postgres."""
    stored = [key for key in store.keys(f"{prefix}/fetched/") if key.endswith(".json")]
    with warehouse.transaction() as transaction:
        known = {row["key"] for row in transaction.rows("cached_keys")}
    for key in stored:
        if key not in known:
            yield Run(stages.named("cache"), keys.parse(key, prefix))


def _absent(warehouse: Warehouse, prefix: str, now: datetime) -> Iterator[Run]:
    """Partitions that FINRA did not have when asked, and that the calendar says are due."""
    with warehouse.transaction() as transaction:
        rows = transaction.rows("absent", asked_before=now - ASK_AGAIN)
    for row in rows:
        if weeks.due_at(row["week_ending"], row["tier"]) <= now:
            yield Run(stages.named("fetch"), keys.parse(row["key"], prefix), request=f"absent {now.isoformat()}")
