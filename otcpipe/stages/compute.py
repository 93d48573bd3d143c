"""Compute metrics: find the weeks that are due, and recompute them, each by one worker at a time."""

from datetime import date
from graphlib import TopologicalSorter

from otcpipe.errors import TooSoon
from otcpipe.metrics import aggregates
from otcpipe.metrics.definitions import WEEK, max_lookahead, metrics
from otcpipe.metrics.parallel import LOCKS, WeekComputation, begin
from otcpipe.records import Partition
from otcpipe.storage.postgres import Database, Row, Transaction

VERSION = 1
PENDING_SECONDS, BUSY_SECONDS = 5, 2


def wait_for_others(database: Database, partition: Partition) -> None:
    """Raise TooSoon while other partitions of the week are in earlier stages: the last one computes for all."""
    with database.transaction() as transaction:
        pending_tiers = [
            row["tier"] for row in transaction.rows("coming", week=partition.week_ending, tier=partition.tier)
        ]
    if pending_tiers:
        raise TooSoon(f"Waits for {', '.join(pending_tiers)} of the same week.", PENDING_SECONDS)


def compute(database: Database, week: date) -> dict[str, int]:
    """Recompute what is due in the week and in those that it affects, oldest first; return changed rows by metric.

    Raises TooSoon while another worker computes one of these weeks, or more records of an earlier one are in earlier
    stages. If a later week has such pending records, it and the weeks after it are left to the run that follows them.
    """
    changed = {metric.name: 0 for metric in metrics()}
    while not _compute_next(database, week, changed):
        pass
    return changed


def _compute_next(database: Database, week: date, changed: dict[str, int]) -> bool:
    """Recompute the first due week that can be computed; return whether nothing is left."""
    waits: TooSoon | None = None
    with database.transaction() as transaction:
        due = transaction.rows("due_weeks", first=week - max_lookahead() * WEEK, last=week + max_lookahead() * WEEK)
    for each in due:
        found: date = each["week_ending"]
        if each["over_stored"]:
            if found < week:
                continue  # no metric of this week reads it
            if _compute_stored(database, found, changed):
                return False
        elif found != week and _has_pending_records(database, found):
            if found > week:
                break
            waits = TooSoon(f"Waits for more records of the week ending {found}.", PENDING_SECONDS)
            continue
        elif _compute_records(database, found, changed):
            return False
        waits = waits or TooSoon(
            f"Another worker computes the week ending {found} or one that it reads.", BUSY_SECONDS
        )
    if waits:
        raise waits
    return True


def _compute_records(database: Database, week: date, changed: dict[str, int]) -> bool:
    """Recompute the metrics that read the week's records; return False while another worker does.

    The due marks are deleted with the commit: until everything is stored, everything stays due. No record of the week
    can change meanwhile, since each change marks the week and so waits for this transaction to end.
    """
    with database.transaction() as transaction:
        if not transaction.rows("try_records", week=week, space=LOCKS)[0]["is_locked"]:
            return False
        due = transaction.rows("take_due", week=week, over_stored=False)
        if not due:
            return True
        computation = begin(database, transaction, week)
        aggregates.build(computation)
        _store(computation, due, changed)
        aggregates.delete(transaction, week)
    database.maintain("vacuum_sums")
    return True


def _compute_stored(database: Database, week: date, changed: dict[str, int]) -> bool:
    """Recompute the metrics that read stored weeks; return False until the metrics that they read are computed."""
    with database.transaction() as transaction:
        if not transaction.rows("try_stored", week=week, reach=max_lookahead(), space=LOCKS)[0]["is_locked"]:
            return False
        due = transaction.rows("take_due", week=week, over_stored=True)
        # only now: a change of records that commits later has to wait for the marks taken above
        read = transaction.rows("due_weeks", first=week - max_lookahead() * WEEK, last=week)
        if not all(row["over_stored"] for row in read):
            transaction.connection.rollback()
            return False
        computation = begin(database, transaction, week)
        computation.in_parallel(aggregates.delete, [week])  # left by a computation that crashed
        _store(computation, due, changed)
    return True


def _store(computation: WeekComputation, due: list[Row], changed: dict[str, int]) -> None:
    """Compute and store the due metrics in parallel, each after those that it reads."""
    names = {row["metric"] for row in due}
    order = TopologicalSorter({one.name: one.reads & names - {one.name} for one in metrics() if one.name in names})
    order.prepare()
    while order.is_active():
        ready = order.get_ready()
        counts = computation.in_parallel(
            lambda transaction, name: _store_one(transaction, computation.week, name), ready
        )
        changed |= {name: changed[name] + count for name, count in zip(ready, counts, strict=True)}
        order.done(*ready)


def _store_one(transaction: Transaction, week: date, metric: str) -> int:
    transaction.rows("plan_for_a_week")
    return int(transaction.rows("store_metric", metric=metric, week=week)[0]["changed"])


def _has_pending_records(database: Database, week: date) -> bool:
    with database.transaction() as transaction:
        return bool(transaction.rows("coming", week=week, tier=None))


def differing(database: Database, week: date) -> tuple[dict[str, list[Row]], set[str]]:
    """Compute the week again and compare: a few differing rows of each metric, and the metrics that are due.

    Changes nothing: the transaction is rolled back.
    """
    with database.transaction() as transaction:
        transaction.rows("lock_week", week=week, reach=max_lookahead(), space=LOCKS)
        aggregates.build_in(transaction, week)
        found = {}
        for metric in metrics():
            found[metric.name] = transaction.rows("differing_metric", metric=metric.name, week=week)
            if found[metric.name]:  # the next metric must not be computed from wrong rows
                transaction.rows("store_metric", metric=metric.name, week=week)
        # last: records that changed meanwhile have marked the week by now, and the lock keeps the marks
        due = {row["metric"] for row in transaction.rows("due_metrics", week=week)}
        transaction.connection.rollback()
    database.maintain("vacuum_sums")
    return found, due
