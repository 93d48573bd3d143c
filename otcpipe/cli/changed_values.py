"""What restatements did to the metrics of one symbol, value by value."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from otcpipe.cli.console import print_table, say, shown
from otcpipe.cli.tables import Column, key
from otcpipe.storage.postgres import Row

COLUMNS = {
    "observed_at": Column("Observed, UTC", 4),
    "metric": key("Metric"),
    "week_ending": key("Of week"),
    "tier": Column("Tier", 2),
    "scope": Column("Scope", 1),
    "column_name": key("Value"),
    "before": Column("Before", 1, is_number=True),
    "after": key("After", is_number=True),
}


def print_values(symbol: str, rows: Sequence[Row]) -> None:
    """Print the rows of `audit.revisions.values`, if there are any."""
    if rows:
        say("", f"Values of {symbol} before and after:")
        print_table(COLUMNS, [row | {name: _shown(row[name]) for name in ("before", "after")} for row in rows])


def values_of(effect: Row, rows: Sequence[Row]) -> list[Row]:
    """Return what of these rows belongs to one effect: of one observation, metric and week."""
    of = ("observed_at", "metric", "week_ending")
    named = [row for row in rows if all(row[name] == effect[name] for name in of)]
    return [{name: value for name, value in row.items() if name not in of} for row in named]


def _shown(text: str | None) -> str:
    if text is None:
        return ""
    try:
        return shown(Decimal(text))
    except InvalidOperation:
        return text
