"""A symbol: its weeks, venues, concentration and revisions."""

from dataclasses import asdict
from datetime import date, datetime

from otcpipe.answers.symbol_lookup import NOW, Asked, find
from otcpipe.audit import revisions as _revisions
from otcpipe.storage.postgres import Database, Row, Transaction


def symbol(
    database: Database, name: str, friday: date | None, count: int, scope: str | None, at: datetime | None
) -> Row:
    """Return `count` weeks of a symbol up to `friday`, by default the newest that has it; with `at`, as known then.

    `issue_name` is that of the last week, `history` has a row for each week and scope, `venues` those of the last
    week in `scope` (None: ALL if it is known, else ATS), `revisions` the changes in these weeks. `unknown_records`
    are left out of these weeks, and `unknown_records_before` of the year before, because their values at that moment
    are lost; `inferred_records` were captured after that moment, and count from their publication. Raises Invalid for
    a symbol or a week without records.
    """
    with database.transaction() as transaction:
        asked = find(transaction, name, friday, count, at)
        return _found(transaction, asked, scope) | {"revisions": _changes(database, asked)}


def _found(transaction: Transaction, asked: Asked, scope: str | None) -> Row:
    history = transaction.rows("symbol_history", **asdict(asked))
    known = [row["scope"] for row in history if row["week_ending"] == asked.last]
    scope = scope or ("ALL" if "ALL" in known else "ATS")
    of_week = {"symbol": asked.symbol, "week_ending": asked.last, "at": asked.at or NOW}
    issue = transaction.rows("symbol_issue", **of_week)
    unknown = transaction.rows("symbol_unknown", **asdict(asked))[0] if asked.at else {}
    return {
        "symbol": asked.symbol,
        "issue_name": issue[0]["issue_name"] if issue else None,
        "week_ending": asked.last,
        "scope": scope,
        "as_of": asked.at,
        "unknown_records": unknown.get("records", 0),
        "unknown_records_before": unknown.get("records_before", 0),
        "inferred_records": unknown.get("inferred", 0),
        "history": history,
        "off_exchange": transaction.rows("symbol_off_exchange", **asdict(asked)),
        "venues": transaction.rows("symbol_venues", scope=scope, **of_week),
    }


def _changes(database: Database, asked: Asked) -> list[Row]:
    """Return the revisions of these weeks that were observed by the moment asked for."""
    changes = _revisions.revisions(database, symbol=asked.symbol, span=(asked.first, asked.last))
    return [row for row in changes if row["observed_at"] <= (asked.at or NOW)]
