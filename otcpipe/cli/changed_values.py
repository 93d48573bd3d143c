"""What restatements did to the metrics of one symbol, value by value."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from itertools import groupby
from operator import itemgetter

from otcpipe.cli.console import print_table, say, shown
from otcpipe.cli.tables import Column, key
from otcpipe.storage.postgres import Row

COLUMNS = {
    "metric": key("Metric"),
    "tier": Column("Tier"),
    "scope": key("Scope"),
    "column_name": key("Value"),
    "before": key("Before", is_number=True),
    "after": key("After", is_number=True),
}


def print_values(symbol: str, rows: Sequence[Row]) -> None:
    """Print the rows of `audit.revisions.values`, a table for each observation and week."""
    place = itemgetter("observed_at", "week_ending")
    for (moment, week), changed in groupby(sorted(rows, key=place), place):
        say("", f"Values of {symbol} in the week ending {week}, before and after the capture of {shown(moment)} UTC:")
        print_table(COLUMNS, [row | {name: _shown(row[name]) for name in ("before", "after")} for row in changed])


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
