"""Print sentences, tables and JSON. Names from FINRA are printed as text, never as markup."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

from rich.console import Console
from rich.text import Text

from otcpipe.cli.tables import Column, render
from otcpipe.storage.postgres import Row
from otcpipe.text.printable import printable, sentence

# Columns that may be wrapped when the terminal is narrow.
PROSE = ("reason", "labels", "issue_name", "venue_name", "names")
# Columns that are shown at any width: which row it is, and its main figure or state.
KEYS = {
    *(
        "week_ending",
        "tier",
        "state",
        "reason",
        "symbol",
        "volume",
        "scope",
        "hhi",
        "rank",
        "mpid",
        "market_share_pct",
    ),
    *("capture_id", "letter_id", "error_class", "change", "share_volume_after", "restated_week", "metric", "rows"),
    *("span", "number", "T1", "T2", "OTCE", "name", "job", "next"),
}
PIPED_WIDTH = 10_000  # a pipe or a file gets every column, in one line a row
BAR_WIDTH = 10
SHARES_EXPONENT = -6  # quantities have six decimals, mostly zeros
console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def say(*lines: str) -> None:
    """Print lines. A line break inside one comes from outside data and is printed as U+FFFD."""
    for line in lines:
        console.print(Text(printable(line)), soft_wrap=True)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 run" or "2,000 runs"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def print_json(rows: Sequence[Row]) -> None:
    """Print a list of objects: decimals as text, dates in ISO format."""
    json.dump(list(rows), sys.stdout, default=_text, indent=2)
    sys.stdout.write("\n")


def print_table(columns: Mapping[str, str], rows: Sequence[Row]) -> None:
    """Print rows as a table that fits the terminal; `columns` maps names of a row to headings.

    Columns that are not among `KEYS` are left out from the last on where there is no room, and counted below.
    """
    cells = [{name: _cell(name, row[name]) for name in columns} for row in rows]
    numbers = [name for name in columns if any(_is_number(row[name]) for row in rows)]
    described = {
        name: Column(heading, 0 if name in KEYS else at, is_prose=name in PROSE)
        for at, (name, heading) in enumerate(columns.items(), 1)
    }
    table, omitted = render(described, cells, numbers, console.width if sys.stdout.isatty() else None)
    console.print(table)
    if omitted:
        say(f"(+{counted(omitted, 'column')}: widen the terminal or use --json)")


def whole(shares: Decimal) -> int:
    """Round shares to whole ones, for the terminal; --json keeps the fractions."""
    return int(shares.quantize(Decimal(1), ROUND_HALF_UP))


def number(venue: Row) -> str | None:
    """Return a firm's CRD number without thousands separators; None if it has none."""
    return None if venue["firm_crd"] is None else str(venue["firm_crd"])


def bar(value: Decimal, most: Decimal) -> str:
    """Draw a bar of up to ten characters, in steps of an eighth of one."""
    eighths = int(value * BAR_WIDTH * 8 / most) if most else 0
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def interval(low: Decimal | None, high: Decimal | None) -> str | None:
    """Return one number, "low..high" if they differ, or None."""
    return None if low is None else f"{low:,}" if low == high else f"{low:,}..{high:,}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _cell(name: str, value: object) -> str:
    return sentence(value) if name in PROSE and isinstance(value, str) else _shown(value)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if isinstance(value, Decimal) and value == int(value) and value.as_tuple().exponent == SHARES_EXPONENT:
        return f"{value:,.0f}"
    return f"{value:,}" if _is_number(value) else printable(str(value))


def _text(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
