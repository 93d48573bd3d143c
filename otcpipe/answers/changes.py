"""Restatements of a symbol or of a week."""

from datetime import date, datetime
from decimal import Decimal
from itertools import islice

from otcpipe.audit import revisions
from otcpipe.errors import Invalid
from otcpipe.metrics import symbols
from otcpipe.storage.postgres import Database, Row

FEW = 3  # weeks
CANDIDATES = 8  # weeks that are compared to find them


def changes(database: Database, week: date | None, symbol: str | None, at: datetime | None = None) -> list[Row]:
    """Return what changed after the first capture, with `at` as far as it was observed then; oldest week first.

    Raises Invalid for an unknown symbol.
    """
    if symbol is not None:
        with database.transaction() as transaction:
            unknown = symbols.unknown(transaction, [symbol])
        if unknown:
            raise Invalid(symbols.sentence(symbol, unknown[symbol]))
    found = revisions.revisions(database, week, symbol)
    return [row for row in found if at is None or row["observed_at"] <= at]


def restated_weeks(database: Database, at: datetime | None = None) -> list[date]:
    """Return the newest few weeks of which something changed, newest first; with `at`, as far as observed then."""
    with database.transaction() as transaction:
        found = transaction.rows("weeks_captured_again", limit=CANDIDATES)
    weeks = [row["week_ending"] for row in found]
    return list(islice((week for week in weeks if changes(database, week, None, at)), FEW))


def size(change: Row) -> Decimal:
    """Return a number that sorts the largest changes of shares first."""
    before, after = (Decimal(change[name] or 0) for name in ("share_volume_before", "share_volume_after"))
    return -abs(after - before)
