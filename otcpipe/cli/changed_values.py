"""What restatements did to the metrics of one symbol, value by value."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from itertools import groupby
from operator import itemgetter

from otcpipe.cli.console import print_table, say, shown
from otcpipe.cli.tables import key
from otcpipe.storage.postgres import Row

COLUMNS = {
    "tier": key("Tier"),
    "scope": key("Scope"),
    "before": key("Before", is_number=True),
    "after": key("After", is_number=True),
}


def print_values(symbol: str, rows: Sequence[Row]) -> None:
    """Print the rows of `audit.revisions.values`, a table for each observation, week and metric."""
    place = itemgetter("observed_at", "week_ending")
    for (moment, week), changed in groupby(sorted(rows, key=place), place):
        say("", f"Values of {symbol} in the week ending {week}, before and after the capture of {shown(moment)} UTC:")
        for metric, of_metric in groupby(changed, itemgetter("metric")):
            listed = [row | {name: _shown(row[name]) for name in ("before", "after")} for row in of_metric]
            print_table({"column_name": key(metric)} | COLUMNS, listed)


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
