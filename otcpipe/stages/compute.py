"""Compute: recompute the metrics that are due, one worker a week."""

from datetime import date
from functools import partial
from graphlib import TopologicalSorter

from otcpipe.errors import TooSoon
from otcpipe.metrics import aggregates, definitions
from otcpipe.metrics.definitions import WEEK, max_lookahead, metrics, read_over_weeks, settling
from otcpipe.metrics.parallel import LOCKS, WeekComputation, begin
from otcpipe.records import Partition
from otcpipe.storage.postgres import Database, Row, Transaction

PENDING_SECONDS, BUSY_SECONDS = 5, 2  # until the next attempt


def require_no_pending(database: Database, partition: Partition) -> None:
    """Raise TooSoon while other partitions of the week are in the pipeline: the last to arrive computes for all."""
    with database.transaction() as transaction:
        pending = transaction.rows("coming", week=partition.week_ending, tier=partition.tier)
    if pending:
        raise TooSoon(f"Waiting for {', '.join(row['tier'] for row in pending)} of the same week.", PENDING_SECONDS)


def compute(database: Database, week: date) -> dict[str, int]:
    """Recompute what is due of the week and of the weeks within the lookahead, oldest first.

    Returns the number of changed rows by metric. Raises TooSoon while another worker computes one of these weeks. A
    week with pending records, and what looks back on it, is left to the message that follows these records.
    """
    changed = {metric.name: 0 for metric in metrics()}
    while not _compute_next(database, week, changed):
        pass
    return changed


def _compute_next(database: Database, week: date, changed: dict[str, int]) -> bool:
    """Recompute the first due week that is not blocked; return True if nothing is left, raise TooSoon if all are."""
    blocked: TooSoon | None = None
    with database.transaction() as transaction:
        due = _due_weeks(transaction, week - max_lookahead() * WEEK, week + max_lookahead() * WEEK)
    for row in due:
        found: date = row["week_ending"]
        if row["over_stored"]:
            if found < week and not row["is_read"]:
                continue  # this week's metrics do not read it
            if _compute_stored(database, found, row["reach"], changed):
                return False
        elif found != week and _has_pending_records(database, found):
            continue  # left to the message that follows these records, as is all that reads the week
        elif _compute_records(database, found, changed):
            return False
        blocked = blocked or TooSoon(
            f"Another worker is computing the week ending {found} or a week that it reads.", BUSY_SECONDS
        )
    if blocked:
        raise blocked
    return True


def _due_weeks(transaction: Transaction, first: date, last: date) -> list[Row]:
    known = [metric.name for metric in metrics()]
    return transaction.rows("due_weeks", first=first, last=last, read=[*read_over_weeks()], known=known, **settling())


def _compute_records(database: Database, week: date, changed: dict[str, int]) -> bool:
    """Recompute the metrics that read the week's records; return False while another worker has the lock.

    The due marks are removed by the same transaction, so that all metrics stay due until all are stored. No record
    of the week can change meanwhile: a transaction that changes one marks the week as due, and waits for this one.
    """
    with database.transaction() as transaction:
        if not transaction.rows("try_records", week=week, space=LOCKS)[0]["is_locked"]:
            return False
        known = [metric.name for metric in metrics()]
        due = transaction.rows("take_due", week=week, over_stored=False, metrics=known)
        if not due:
            return True
        computation = begin(database, transaction, week)
        aggregates.build(computation)
        _store(computation, due, changed)
        transaction.run("note_computation", week=week)
        aggregates.delete(transaction, week)
    database.maintain("vacuum_sums")
    return True


def _compute_stored(database: Database, week: date, reach: int, changed: dict[str, int]) -> bool:
    """Recompute the due metrics over stored rows whose weeks, up to `reach` weeks back, have settled.

    Returns False while another worker has one of these weeks, or if one was changed meanwhile.
    """
    with database.transaction() as transaction:
        if not transaction.rows("try_stored", week=week, reach=reach, space=LOCKS)[0]["is_locked"]:
            return False
        settled = _settled_metrics(transaction, week, reach)
        due = transaction.rows("take_due", week=week, over_stored=True, metrics=[*settled])
        if not due:
            return True
        # read again after take_due: records that change later must wait for the locked marks
        if not {row["metric"] for row in due} <= _settled_metrics(transaction, week, reach):
            transaction.connection.rollback()
            return False
        computation = begin(database, transaction, week)
        computation.in_parallel(aggregates.delete, [week])  # leftovers of a killed worker must not be read
        _store(computation, due, changed)
        transaction.run("note_computation", week=week)
    return True


def _settled_metrics(transaction: Transaction, week: date, reach: int) -> set[str]:
    return {row["metric"] for row in transaction.rows("settled_metrics", week=week, reach=reach, **settling())}


def _store(computation: WeekComputation, due: list[Row], changed: dict[str, int]) -> None:
    """Store the due metrics in parallel, each after those that it reads; add the changed rows to `changed`."""
    names = {row["metric"] for row in due}
    order = TopologicalSorter({one.name: one.reads & names - {one.name} for one in metrics() if one.name in names})
    order.prepare()
    while order.is_active():
        ready = order.get_ready()
        counts = computation.in_parallel(partial(_store_one, computation.week), ready)
        changed |= {name: changed[name] + count for name, count in zip(ready, counts, strict=True)}
        order.done(*ready)


def _store_one(week: date, transaction: Transaction, metric: str) -> int:
    transaction.rows("plan_for_a_week")
    lookback = definitions.named(metric).lookahead_weeks
    return int(transaction.rows("store_metric", metric=metric, week=week, lookback=lookback)[0]["changed"])


def _has_pending_records(database: Database, week: date) -> bool:
    with database.transaction() as transaction:
        return bool(transaction.rows("coming", week=week, tier=None))


def find_differences(database: Database, week: date) -> tuple[dict[str, list[Row]], set[str]]:
    """Return a few wrong rows of each metric, and the metrics that are due.

    Computes the week as a worker does, then rolls back, so that nothing changes. A deferred metric that is to be
    completed is in neither.
    """
    with database.transaction() as transaction:
        transaction.rows("lock_week", week=week, reach=max_lookahead(), space=LOCKS)
        aggregates.build_in(transaction, week)
        found: dict[str, list[Row]] = {}
        incomplete = _incomplete(transaction, week)
        for metric in (one for one in metrics() if one.name not in incomplete):
            found[metric.name] = transaction.rows("differing_metric", metric=metric.name, week=week)
            if found[metric.name]:  # the next metric must not read wrong rows
                _store_one(week, transaction, metric.name)
        # read last: records that changed meanwhile have marked the week, and no worker can clear the mark
        waiting = {row["metric"] for row in transaction.rows("due_metrics", week=week)}
        found = {name: rows for name, rows in found.items() if name not in _incomplete(transaction, week)}
        transaction.connection.rollback()
    database.maintain("vacuum_sums")
    return found, waiting


def _incomplete(transaction: Transaction, week: date) -> set[str]:
    return {row["metric"] for row in transaction.rows("incomplete_metrics", first=week, last=week)}
