"""What is unusual in a symbol's weeks: volume against its own past, changes of its concentration, splits."""

from otcpipe.metrics.definitions import WEEK
from otcpipe.storage.postgres import Database, Row

MOST = 53  # weeks: a year, which is also what a week is compared with


def of_symbol(database: Database, found: Row, count: int) -> Row:
    """Return `signals`, a row for each week in the scope of `found`, and `splits`; at its moment, newest first.

    Of `count` weeks, at most those of a year. Weeks that are still to be completed may have no row.
    """
    asked: Row = {"symbol": found["symbol"], "at": found["as_of"], "last": found["week_ending"]}
    asked["first"] = found["week_ending"] - (min(count, MOST) - 1) * WEEK
    with database.transaction() as transaction:
        return {
            "signals": transaction.rows("symbol_signals", scope=found["scope"], **asked),
            "splits": transaction.rows("symbol_splits", **asked),
        }
