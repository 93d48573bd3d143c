"""Trading days of the loaded weeks: the calendar learns of an unscheduled closing by an update of its library."""

from datetime import date, datetime

from otcpipe.metrics import definitions
from otcpipe.quality import grading
from otcpipe.records import Partition
from otcpipe.storage.postgres import Database, Row
from otcpipe.weeks import trading_calendar


def of(week: date) -> Row:
    """Return the row of `otc.trading_week` by today's calendar."""
    days, half_days = trading_calendar.trading_days(week), trading_calendar.half_days(week)
    return {"week_ending": week, "trading_days": len(days), "half_days": len(half_days)}


def outdated(database: Database) -> list[date]:
    """Return the weeks that were stored by a calendar that had other sessions, oldest first."""
    with database.transaction() as transaction:
        return [row["week_ending"] for row in transaction.rows("trading_weeks") if row != of(row["week_ending"])]


def correct(database: Database, now: datetime) -> list[date]:
    """Store the trading days of these weeks by today's calendar; return the weeks. Their metrics are due then."""
    found = outdated(database)
    for week in found:
        with database.transaction() as transaction:
            transaction.run("correct_trading_week", **of(week))
            definitions.mark_due(transaction, week)
            for row in transaction.rows("tiers_of_week", week_ending=week):
                grading.regrade(transaction, Partition(week, row["tier"]), now)
    return found
