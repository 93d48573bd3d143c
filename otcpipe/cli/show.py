"""Show a symbol: its weeks, venues, concentration and restatements."""

import sys
from dataclasses import asdict

from otcpipe import resources, weeks
from otcpipe.audit import revisions as _revisions
from otcpipe.cli import arguments
from otcpipe.cli.form import Form
from otcpipe.cli.moments import new_york
from otcpipe.cli.output import print_csv, print_json
from otcpipe.cli.symbol_lookup import NOW, Asked, find
from otcpipe.cli.symbol_tables import print_symbol
from otcpipe.storage.postgres import Row, Transaction


def show(symbol: str, week: str | None, count: int, scope: str | None, as_of: str | None, form: Form) -> None:
    """Print `count` weeks up to `week`, by default the newest that has the symbol; with `as_of`, as known then."""
    friday = arguments.week(week)
    moment = weeks.parse_as_of(as_of, resources.settings().now()) if as_of else None
    scope = arguments.scope(scope) if scope else None
    with resources.database().transaction() as transaction:
        asked = find(transaction, symbol, friday, count, moment)
        found = _found(transaction, asked, scope) | {"revisions": _changes(asked)}
    if moment and form is Form.CSV:  # which JSON says itself
        print(f"As known on {new_york(moment)}.", file=sys.stderr)  # noqa: T201 - beside the rows
    if form is Form.JSON:
        print_json([found])
    elif form is Form.CSV:
        print_csv(found["history"], ("week_ending", "scope"))
    else:
        print_symbol(found)


def _found(transaction: Transaction, asked: Asked, scope: str | None) -> Row:
    history = transaction.rows("symbol_history", **asdict(asked))
    known = [row["scope"] for row in history if row["week_ending"] == asked.last]
    scope = scope or ("ALL" if "ALL" in known else "ATS")
    of_week = {"symbol": asked.symbol, "week_ending": asked.last, "at": asked.at or NOW}
    return {
        "symbol": asked.symbol,
        "week_ending": asked.last,
        "scope": scope,
        "as_of": asked.at,
        "unknown_records": transaction.rows("symbol_unknown", **asdict(asked))[0]["records"] if asked.at else 0,
        "history": history,
        "venues": transaction.rows("symbol_venues", scope=scope, **of_week),
    }


def _changes(asked: Asked) -> list[Row]:
    """Return the revisions of these weeks that were observed by the moment asked for."""
    changes = _revisions.revisions(resources.database(), symbol=asked.symbol)
    of_weeks = [row for row in changes if asked.first <= row["week_ending"] <= asked.last]
    return [row for row in of_weeks if row["observed_at"] <= (asked.at or NOW)]
