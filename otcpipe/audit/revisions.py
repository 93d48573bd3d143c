"""The restatements: what changed after its publication, and the effect on the metrics."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from otcpipe.metrics import history, loaded
from otcpipe.metrics.definitions import WEEK, max_lookahead, metrics
from otcpipe.metrics.history import StaleWeek
from otcpipe.storage.postgres import Database, Row, Rows

Moment = tuple[date, datetime]  # a week, and when a capture of it was observed


def revisions(
    database: Database,
    week: date | None = None,
    symbol: str | None = None,
    span: tuple[date | None, date | None] = (None, None),  # the first and the last week
) -> Rows:
    """Return a row for each changed, relabelled, added or withdrawn record: before, after, and when.

    A record is relabelled if only labels differ; the list `relabelled` names them. Raises Invalid for a week that is
    not loaded.
    """
    with database.transaction() as transaction:
        found = transaction.rows("revisions", week_ending=week, symbol=symbol, first=span[0], last=span[1])
        if week and not found:
            loaded.require(transaction, week)
    return found


def newest(changes: Sequence[Row], limit: int | None = None) -> list[Row]:
    """Return so many changes, by default all: those observed on the newest day first, and of a day the largest."""
    rank = {id(row): (row["observed_at"].date(), abs(difference(row))) for row in changes}
    return sorted(changes, key=lambda row: rank[id(row)], reverse=True)[:limit]


def difference(change: Row) -> Decimal:
    """Return by how many shares a record changed."""
    before, after = (change[f"share_volume_{when}"] or Decimal(0) for when in ("before", "after"))
    return Decimal(after - before)


def stale(database: Database, changes: Sequence[Row]) -> list[StaleWeek]:
    """Return the stale histories of what these changes may have affected, and of what that reads, in order."""
    found: dict[StaleWeek, None] = {}
    for first, last in _spans(sorted({row["week_ending"] for row in changes})):
        for metric in metrics():
            if not metric.is_deferred:
                found |= dict.fromkeys(history.stale(database, [metric.name], first, metric.last_affected(last)))
    return [*found]


def _spans(weeks: Sequence[date]) -> list[tuple[date, date]]:
    """Return the first and the last of weeks that are close enough to affect the same weeks."""
    spans: list[tuple[date, date]] = []
    for week in weeks:
        is_near = spans and week - spans[-1][1] <= max_lookahead() * WEEK
        spans[-1:] = [(spans[-1][0], week)] if is_near else [*spans[-1:], (week, week)]
    return spans


def moments(changes: Sequence[Row]) -> list[Moment]:
    """Return each restated week with each moment at which it was restated, in order."""
    return sorted({(row["week_ending"], row["observed_at"]) for row in changes})


def effects(database: Database, changes: Sequence[Row], asked: Iterable[Moment] | None = None) -> list[Row]:
    """Return a row for each capture, metric and week: how many rows of the metric the capture changed.

    `tier` names the tier of the capture, or several; `words` counts the rows whose trend, concentration level or rank
    changed; `names` lists the symbols or venues. Captures of the same moment count as one. `asked` are the
    moments of the changes, by default all. Builds what is stale first.
    """
    found = []
    for one in stale(database, changes):
        history.build_week(database, one)
    with database.transaction() as transaction:
        for week, moment in moments(changes) if asked is None else asked:
            of_moment = [row for row in changes if (row["week_ending"], row["observed_at"]) == (week, moment)]
            tier = ", ".join(sorted({row["tier"] for row in of_moment}))
            symbols = sorted({row["symbol"] for row in of_moment if row["symbol"] is not None})
            for metric in metrics():
                span = {"first": week, "last": metric.last_affected(week)}
                rows = transaction.rows("effect", metric=metric.name, moment=moment, symbols=symbols, **span)
                found += [{"observed_at": moment, "restated_week": week, "tier": tier} | row for row in rows]
    return found


def values(database: Database, symbol: str, changes: Sequence[Row]) -> list[Row]:
    """Return what each observation changed in a symbol's metrics: a row for each column, as text before and after.

    A row of a metric that appeared or is gone has the column `row`. The histories must not be stale.
    """
    first: dict[datetime, date] = {}
    for week, moment in moments(changes):
        first[moment] = min(week, first.get(moment, week))
    found = []
    with database.transaction() as transaction:
        for moment, week in first.items():
            rows = transaction.rows("effect_on", symbol=symbol, moment=moment, first=week)
            found += [{"observed_at": moment} | row for row in rows]
    return found
