"""The restatements: what changed after its publication, and the effect on the metrics."""

from collections.abc import Sequence
from datetime import date

from otcpipe.metrics import definitions, history, loaded
from otcpipe.storage.postgres import Database, Row


def revisions(database: Database, week: date | None = None, symbol: str | None = None) -> list[Row]:
    """Return a row for each changed, relabelled, added or withdrawn record: before, after, and when.

    A record is relabelled if only labels differ; the list `relabelled` names them. Raises Invalid for a week that is
    not loaded.
    """
    with database.transaction() as transaction:
        found = transaction.rows("revisions", week_ending=week, symbol=symbol)
        if week and not found:
            loaded.require(transaction, week)
    return found


def affected(changes: Sequence[Row]) -> tuple[date, date]:
    """Return the first and the last week whose metrics may have changed."""
    weeks = [row["week_ending"] for row in changes]
    return min(weeks), max(weeks) + definitions.max_lookahead() * definitions.WEEK


def effects(database: Database, changes: Sequence[Row]) -> list[Row]:
    """Return a row for each capture, metric and week: how many rows of the metric the capture changed.

    `words` counts those whose trend, concentration level or rank changed; `names` lists the symbols or venues.
    Captures of the same moment count as one.
    """
    if not changes:
        return []
    found = []
    history.build(database, None, *affected(changes))
    moments = sorted({(row["week_ending"], row["observed_at"]) for row in changes})
    with database.transaction() as transaction:
        for week, moment in moments:
            of_moment = [row for row in changes if (row["week_ending"], row["observed_at"]) == (week, moment)]
            symbols = sorted({row["symbol"] for row in of_moment if row["symbol"] is not None})
            for metric in definitions.metrics():
                span = {"first": week, "last": week + metric.lookahead_weeks * definitions.WEEK}
                rows = transaction.rows("effect", metric=metric.name, moment=moment, symbols=symbols, **span)
                found += [{"observed_at": moment, "restated_week": week} | row for row in rows]
    return found
