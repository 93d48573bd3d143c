"""The deferred metrics, which look back over many weeks: their weeks are completed when those have settled.

A change of a week makes a deferred metric incomplete in that week and in those that it reaches, which the view
`otc.incomplete_week` lists. In a backfill each week is so computed once, whatever the order of arrival.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from otcpipe.errors import Unready
from otcpipe.metrics.definitions import WEEK, Metric, metrics
from otcpipe.metrics.parallel import LOCKS
from otcpipe.storage.postgres import Database


@dataclass(frozen=True)
class IncompleteWeek:
    """A week of a deferred metric that is to be computed."""

    metric: Metric
    week: date


def incomplete(
    database: Database,
    names: Iterable[str] | None = None,
    first: date = date.min,
    last: date = date.max,
    *,
    settled: bool = False,
) -> list[IncompleteWeek]:
    """Return the incomplete weeks of some deferred metrics, or of all, the oldest first.

    With `settled`, only those that no run of the pipeline is to change. Raises Unready if there are some, and the
    server refuses changes, as a replica does.
    """
    wanted = {one.name: one for one in metrics() if one.is_deferred and (names is None or one.name in set(names))}
    if not wanted:
        return []
    reaches = [metric.lookahead_weeks for metric in wanted.values()]
    weeks = {"first": first, "last": last}
    with database.transaction() as transaction:
        if transaction.rows("is_read_only")[0]["is_read_only"]:
            if {row["metric"] for row in transaction.rows("incomplete_metrics", **weeks)} & wanted.keys():
                raise Unready(
                    "Some weeks are not complete yet: run `otcpipe history` on a server that accepts changes."
                )
            return []
        transaction.run("spread_deferred_changes")
        rows = transaction.rows("incomplete_weeks", metrics=[*wanted], reaches=reaches, settled=settled, **weeks)
    return [IncompleteWeek(wanted[row["metric"]], row["week_ending"]) for row in rows]


def incomplete_by_week(database: Database, first: date = date.min, last: date = date.max) -> dict[date, list[str]]:
    """Return by week the metrics, deferred or not, that are to be completed; weeks without any are left out."""
    with database.transaction() as transaction:
        rows = transaction.rows("incomplete_by_week", first=first, last=last)
    return {row["week_ending"]: row["metrics"] for row in rows}


def complete(
    database: Database, names: Iterable[str] | None = None, first: date = date.min, last: date = date.max
) -> int:
    """Compute what is incomplete; return how many weeks of a metric were completed."""
    return sum(complete_week(database, one) for one in incomplete(database, names, first, last))


def complete_if_possible(database: Database, name: str, week: date) -> None:
    """Complete a week of a deferred metric; do nothing on a server that refuses changes, as a replica does."""
    with suppress(Unready):
        complete(database, [name], week, week)


def complete_week(database: Database, one: IncompleteWeek) -> bool:
    """Compute a week of a deferred metric; return False while a metric that it reads is due.

    The week's row is locked first: a change from then on waits to make it incomplete again.
    """
    metric, reach = one.metric.name, one.metric.lookahead_weeks
    with database.transaction() as transaction:
        transaction.rows("lock_stored", week=one.week, space=LOCKS)
        if not transaction.rows("take_incomplete_week", week=one.week, metric=metric):
            return True
        if transaction.rows("are_weeks_due", first=one.week - reach * WEEK, last=one.week)[0]["is_due"]:
            return False
        transaction.rows("plan_for_a_week")
        transaction.rows("store_metric", metric=metric, week=one.week, lookback=reach)
        transaction.run("complete_week", week=one.week, metric=metric)
        transaction.run("note_computation", week=one.week)
    with database.transaction() as transaction:
        transaction.run("note_computation", week=one.week)  # again, since its rows can be read now
    return True
