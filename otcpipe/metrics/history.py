"""The histories of the metrics: each value with the interval in which it was the known one.

A computation continues the history of a week whose newest capture restates it. Any other change makes the week's
history stale. It is then built from the records: the metric's rows at each moment at which something became known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from otcpipe.errors import TooSoon, Unready
from otcpipe.metrics.definitions import Metric, max_lookahead, metrics, named
from otcpipe.metrics.parallel import LOCKS
from otcpipe.storage.postgres import Database, Transaction

MOST_NAMED = 3  # weeks
BUSY_SECONDS = 5  # until the next attempt


@dataclass(frozen=True)
class StaleWeek:
    """A week of a metric whose history is to be built."""

    metric: Metric
    week: date


def stale(
    database: Database, names: Iterable[str] | None = None, first: date = date.min, last: date = date.max
) -> list[StaleWeek]:
    """Return the stale weeks of some metrics, and the weeks that they read of others, in the order of building.

    Without names, of all metrics that are not deferred: a history over many weeks takes long. A week whose metric is
    due is left out: its computation is still to come. Raises Unready if there are some, and
    the server refuses changes, as a replica does.
    """
    wanted = _with_reads(names)
    with database.transaction() as transaction:
        rows = transaction.rows(
            "stale_histories", metrics=[*wanted], weeks_read=[*wanted.values()], first=first, last=last
        )
        if rows and transaction.rows("is_read_only")[0]["is_read_only"]:
            raise Unready("Some histories are not built yet: run `otcpipe history` on a server that accepts changes.")
    by_name = {metric.name: metric for metric in metrics()}
    return [StaleWeek(by_name[row["metric"]], row["week_ending"]) for row in rows]


def require_built(transaction: Transaction, metric: str, first: date | None, last: date | None) -> None:
    """Raise TooSoon if a captured week has no history of the metric: its rows would be missing without a word."""
    span = {"first": first or date.min, "last": last or date.max}
    asked = {"metric": metric, "is_deferred": named(metric).is_deferred}
    missing = [str(row["week_ending"]) for row in transaction.rows("weeks_without_history", **asked, **span)]
    if missing:
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        raise TooSoon(
            f"{metric} is still to be computed for the weeks ending {', '.join(missing[:MOST_NAMED])}{more}, and has"
            " no history of them before: ask for other weeks, or again when `otcpipe coverage` shows none as stale.",
            BUSY_SECONDS,
        )


def build(
    database: Database, names: Iterable[str] | None = None, first: date = date.min, last: date = date.max
) -> int:
    """Build what is stale; return how many weeks of a metric were built."""
    return sum(build_week(database, one) for one in stale(database, names, first, last))


def build_week(database: Database, one: StaleWeek) -> bool:
    """Build a week of a metric's history; return False if the metric is due.

    The week's lock keeps computations away. A change of the records marks the metric as due in its own transaction,
    so that all statements saw the same records if no mark is visible at the end.
    """
    reads = sorted(one.metric.reads - {one.metric.name})
    with database.transaction() as transaction:
        transaction.rows("lock_week", week=one.week, reach=max_lookahead(), space=LOCKS)
        transaction.rows("plan_for_a_week")
        lookback = one.metric.lookahead_weeks
        transaction.rows("build_history", metric=one.metric.name, week=one.week, lookback=lookback, reads=reads)
        if transaction.rows("is_due", metric=one.metric.name, week=one.week)[0]["is_due"]:
            transaction.connection.rollback()
            return False
    return True


def forget(database: Database, first: date, last: date) -> None:
    """Make all histories of these weeks stale."""
    with database.transaction() as transaction:
        transaction.run("forget_histories", metrics=[metric.name for metric in metrics()], first=first, last=last)


def _with_reads(names: Iterable[str] | None) -> dict[str, int]:
    """Return the metrics and those that they read, each after these, and how many weeks before are read of each.

    Without names, of all that are not deferred. From the records of many weeks, one week takes minutes.
    """
    wanted = {metric.name for metric in metrics() if not metric.is_deferred} if names is None else set(names)
    found = dict.fromkeys(wanted, 0)
    for metric in reversed(metrics()):
        if metric.name in found:
            before = found[metric.name] + metric.lookahead_weeks
            found |= {name: max(before, found.get(name, 0)) for name in metric.reads - {metric.name}}
    return {metric.name: found[metric.name] for metric in metrics() if metric.name in found}
