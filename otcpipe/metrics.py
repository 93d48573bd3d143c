"""The analysts' numbers: which weeks are due, and one runner a week that recomputes them."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from graphlib import TopologicalSorter

from otcpipe import queries
from otcpipe.errors import TooSoon
from otcpipe.records import Partition
from otcpipe.warehouse import Row, Transaction, Warehouse

VERSION = 1
LOCKS = 7_001  # the advisory locks' first number; the second is the week
WEEK = timedelta(days=7)
PAUSE_SECONDS = 0.5
_REACHES = re.compile(r"^-- reaches: (\d+)(, over stored rows)?$", re.MULTILINE)
_FORMULA = re.compile(r"^-- formula: (.+)$", re.MULTILINE)
_READS = re.compile(r"^-- reads: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Metric:
    """One file of `schema/metrics`: how many following weeks it reaches, the metrics that it reads, its formula.

    Of a metric that goes over stored rows, a reached week is computed without a look at the week's records.
    """

    name: str
    reaches: int
    goes_over_stored: bool
    reads: frozenset[str]
    formula: str


@cache
def metrics() -> tuple[Metric, ...]:
    """All metrics, each after those that it reads."""
    found = {name: _metric(name, text) for name, text in queries.metric_files().items()}
    order = TopologicalSorter({metric.name: metric.reads - {metric.name} for metric in found.values()})
    return tuple(found[name] for name in order.static_order())


def _metric(name: str, text: str) -> Metric:
    reaches, reads, formula = _REACHES.search(text), _READS.search(text), _FORMULA.search(text)
    if not reaches:
        raise ValueError(f"schema/metrics/{name}.sql does not say how many following weeks it reaches.")
    return Metric(
        name,
        int(reaches[1]),
        bool(reaches[2]),
        frozenset(reads[1].split(", ") if reads else ()),
        formula[1] if formula else "",
    )


def reach() -> int:
    return max(metric.reaches for metric in metrics())


def mark_due(transaction: Transaction, week: date) -> None:
    """Note all that a change of the week reaches, in the transaction that makes the change."""
    names, reaches = [m.name for m in metrics()], [m.reaches for m in metrics()]
    transaction.run("mark_due", week=week, metrics=names, reaches=reaches)


def wait_for_others(warehouse: Warehouse, partition: Partition) -> None:
    """Raises TooSoon while other partitions of the week are on their way: the last to come computes for all."""
    with warehouse.transaction() as transaction:
        coming = transaction.rows("coming", week=partition.week_ending, tier=partition.tier)
    if coming:
        raise TooSoon(f"Waits for {', '.join(row['tier'] for row in coming)} of the same week.", PAUSE_SECONDS)


def compute(warehouse: Warehouse, week: date, *, again: bool = False) -> dict[str, int]:
    """Recompute what is due of the week and of the weeks that it reaches, oldest first; changed rows by metric.

    Raises TooSoon while another runner has one of these weeks, or more records of an earlier one are on their way. A
    later one of which more records are on their way is left to the message that follows them, with those after it.
    With `again`, all of it is due.
    """
    if again:
        with warehouse.transaction() as transaction:
            mark_due(transaction, week)
    changed = {metric.name: 0 for metric in metrics()}
    first, last = week - reach() * WEEK, week + reach() * WEEK
    due = _earliest_due(warehouse, first, last)
    while due:
        if due != week and _is_coming(warehouse, due):
            if due > week:
                break
            raise TooSoon(f"Waits for more records of the week ending {due}.", PAUSE_SECONDS)
        due = _compute_week(warehouse, due, changed) or _earliest_due(warehouse, first, last)
    return changed


def _compute_week(warehouse: Warehouse, week: date, changed: dict[str, int]) -> date | None:
    """Recompute one week; or return an earlier week that is due, whose numbers this one would read too soon."""
    with warehouse.transaction() as transaction:
        if not transaction.rows("try_weeks", week=week, reach=reach(), space=LOCKS)[0]["is_locked"]:
            raise TooSoon(f"Another worker computes the week ending {week} or one that it reads.", PAUSE_SECONDS)
        due = transaction.rows("take_due", week=week)
        earlier: date | None = transaction.rows("earliest_due", first=week - reach() * WEEK, last=week - WEEK)[0][
            "week_ending"
        ]
        if earlier:
            transaction.connection.rollback()
            return earlier
        transaction.rows("plan_by_hash")
        is_filled = _fill_working_week(transaction, week, due)
        for metric in metrics():
            if metric.name in {row["metric"] for row in due}:
                stored = transaction.rows("store_metric", metric=metric.name, week=week)
                changed[metric.name] += stored[0]["changed"]
        transaction.run("clear_working_week")
    if is_filled:
        warehouse.maintain("vacuum_working_week")
    return None


def _is_coming(warehouse: Warehouse, week: date) -> bool:
    """Whether a week some of whose records changed has more on their way."""
    with warehouse.transaction() as transaction:
        has_changed = not all(row["is_reached"] for row in transaction.rows("due_metrics", week=week))
        return has_changed and bool(transaction.rows("coming", week=week, tier=None))


def _fill_working_week(transaction: Transaction, week: date, due: list[Row]) -> bool:
    """Sum the week's records, unless all that is due goes over stored rows: most of a backfill's work is saved so."""
    over_stored = {metric.name for metric in metrics() if metric.goes_over_stored}
    if all(row["is_reached"] and row["metric"] in over_stored for row in due):
        return False
    _fill(transaction, week)
    return True


def _fill(transaction: Transaction, week: date) -> None:
    tangled = [row["symbol"] for row in transaction.rows("tangled_symbols", week=week)]
    transaction.run("fill_working_week", week=week, tangled=tangled)


def _earliest_due(warehouse: Warehouse, first: date, last: date) -> date | None:
    with warehouse.transaction() as transaction:
        found: date | None = transaction.rows("earliest_due", first=first, last=last)[0]["week_ending"]
        return found


def differing(warehouse: Warehouse, week: date) -> tuple[dict[str, list[Row]], set[str]]:
    """A few rows of each metric that are not what the records give, and the metrics that wait to be computed.

    Nothing is changed: it is a runner's work, which is then given up.
    """
    with warehouse.transaction() as transaction:
        transaction.rows("lock_weeks", week=week, reach=reach(), space=LOCKS)
        transaction.rows("plan_by_hash")
        _fill(transaction, week)
        found = {}
        for metric in metrics():
            found[metric.name] = transaction.rows("differing_metric", metric=metric.name, week=week)
            if found[metric.name]:  # the next one shall not build on what is wrong
                transaction.rows("store_metric", metric=metric.name, week=week)
        # asked last: records that changed meanwhile have left their mark by now, and no runner can take it away
        waiting = {row["metric"] for row in transaction.rows("due_metrics", week=week)}
        transaction.connection.rollback()
    warehouse.maintain("vacuum_working_week")
    return found, waiting
