"""The analysts' numbers: which weeks are due, and one runner a week that recomputes them."""

from datetime import date
from graphlib import TopologicalSorter

from otcpipe.errors import TooSoon
from otcpipe.metrics import aggregates
from otcpipe.metrics.definitions import WEEK, max_lookahead, metrics
from otcpipe.metrics.parallel import LOCKS, WeekComputation, begin
from otcpipe.records import Partition
from otcpipe.storage.postgres import Database, Row, Transaction

VERSION = 1
COMING_SECONDS, BUSY_SECONDS = 5, 2


def wait_for_others(database: Database, partition: Partition) -> None:
    """Raises TooSoon while other partitions of the week are on their way: the last to come computes for all."""
    with database.transaction() as transaction:
        coming = transaction.rows("coming", week=partition.week_ending, tier=partition.tier)
    if coming:
        raise TooSoon(f"Waits for {', '.join(row['tier'] for row in coming)} of the same week.", COMING_SECONDS)


def compute(database: Database, week: date) -> dict[str, int]:
    """Recompute what is due of the week and of the weeks that it reaches, oldest first; changed rows by metric.

    Raises TooSoon while another runner has one of these weeks, or more records of an earlier one are on their way. A
    later one of which more records are on their way is left to the message that follows them, with those after it.
    """
    changed = {metric.name: 0 for metric in metrics()}
    while not _compute_next(database, week, changed):
        pass
    return changed


def _compute_next(database: Database, week: date, changed: dict[str, int]) -> bool:
    """Recompute the first of what is due that can be; whether nothing is left."""
    waits: TooSoon | None = None
    with database.transaction() as transaction:
        due = transaction.rows("due_weeks", first=week - max_lookahead() * WEEK, last=week + max_lookahead() * WEEK)
    for each in due:
        found: date = each["week_ending"]
        if each["over_stored"]:
            if found < week:
                continue  # this week reads nothing of it
            if _compute_stored(database, found, changed):
                return False
        elif found != week and _has_pending_records(database, found):
            if found > week:
                break
            waits = TooSoon(f"Waits for more records of the week ending {found}.", COMING_SECONDS)
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
    """Recompute what the week's records tell; false while another runner has them.

    The marks are taken away last: until all is stored, all of it is due. No record of the week can change meanwhile,
    since who changes one marks the week, and waits for the runner's transaction to end.
    """
    with database.transaction() as transaction:
        if not transaction.rows("try_records", week=week, space=LOCKS)[0]["is_locked"]:
            return False
        due = transaction.rows("take_due", week=week, over_stored=False)
        if not due:
            return True
        runner = begin(database, transaction, week)
        aggregates.build(runner)
        _store(runner, due, changed)
        aggregates.delete(transaction, week)
    database.maintain("vacuum_sums")
    return True


def _compute_stored(database: Database, week: date, changed: dict[str, int]) -> bool:
    """Recompute the week over stored rows; false until those of its own records and of earlier ones are there."""
    with database.transaction() as transaction:
        if not transaction.rows("try_stored", week=week, reach=max_lookahead(), space=LOCKS)[0]["is_locked"]:
            return False
        due = transaction.rows("take_due", week=week, over_stored=True)
        # only now: a change of records that is committed later has to wait for the marks that are taken
        read = transaction.rows("due_weeks", first=week - max_lookahead() * WEEK, last=week)
        if not all(row["over_stored"] for row in read):
            transaction.connection.rollback()
            return False
        runner = begin(database, transaction, week)
        runner.in_parallel(aggregates.delete, [week])  # a killed one may have left some, which nobody shall read
        _store(runner, due, changed)
    return True


def _store(runner: WeekComputation, due: list[Row], changed: dict[str, int]) -> None:
    """Store the metrics side by side, each after those that it reads."""
    names = {row["metric"] for row in due}
    order = TopologicalSorter({one.name: one.reads & names - {one.name} for one in metrics() if one.name in names})
    order.prepare()
    while order.is_active():
        ready = order.get_ready()
        counts = runner.in_parallel(lambda transaction, name: _store_one(transaction, runner.week, name), ready)
        changed |= {name: changed[name] + count for name, count in zip(ready, counts, strict=True)}
        order.done(*ready)


def _store_one(transaction: Transaction, week: date, metric: str) -> int:
    transaction.rows("plan_for_a_week")
    return int(transaction.rows("store_metric", metric=metric, week=week)[0]["changed"])


def _has_pending_records(database: Database, week: date) -> bool:
    with database.transaction() as transaction:
        return bool(transaction.rows("coming", week=week, tier=None))


def differing(database: Database, week: date) -> tuple[dict[str, list[Row]], set[str]]:
    """A few rows of each metric that are not what the records give, and the metrics that wait to be computed.

    Nothing is changed: it is a runner's work, which is then given up.
    """
    with database.transaction() as transaction:
        transaction.rows("lock_week", week=week, reach=max_lookahead(), space=LOCKS)
        aggregates.build_in(transaction, week)
        found = {}
        for metric in metrics():
            found[metric.name] = transaction.rows("differing_metric", metric=metric.name, week=week)
            if found[metric.name]:  # the next one shall not build on what is wrong
                transaction.rows("store_metric", metric=metric.name, week=week)
        # asked last: records that changed meanwhile have left their mark by now, and no runner can take it away
        waiting = {row["metric"] for row in transaction.rows("due_metrics", week=week)}
        transaction.connection.rollback()
    database.maintain("vacuum_sums")
    return found, waiting
