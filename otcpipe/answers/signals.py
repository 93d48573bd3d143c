"""What is unusual in a symbol's weeks: volume against its own past, changes of its concentration, splits."""

from datetime import date

from otcpipe.metrics.definitions import WEEK
from otcpipe.storage.postgres import Database, Row, Transaction

METRICS = {"symbol_unusual", "concentration_change"}  # what the signals are read from
MOST = 53  # weeks: a year, which is also what a week is compared with


def of_symbol(database: Database, found: Row, count: int) -> Row:
    """Return `signals`, a row for each week in the scope of `found`, and `splits`; at its moment, newest first.

    Of `count` weeks, at most those of a year. `incomplete_weeks` are still to be completed: they have no row, or an
    outdated one.
    """
    asked: Row = {"symbol": found["symbol"], "at": found["as_of"], "last": found["week_ending"]}
    asked["first"] = found["week_ending"] - (min(count, MOST) - 1) * WEEK
    with database.transaction() as transaction:
        return {
            "signals": transaction.rows("symbol_signals", scope=found["scope"], **asked),
            "splits": transaction.rows("symbol_splits", **asked),
            "incomplete_weeks": [] if asked["at"] else _incomplete(transaction, asked),
        }


def _incomplete(transaction: Transaction, asked: Row) -> list[date]:
    rows = transaction.rows("incomplete_by_week", first=asked["first"], last=asked["last"])
    return [row["week_ending"] for row in rows if METRICS & set(row["metrics"])]
