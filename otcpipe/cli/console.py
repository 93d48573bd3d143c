"""Print sentences and tables. Names from FINRA are printed as text, never as markup."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeGuard

from rich.console import Console
from rich.text import Text

from otcpipe.cli.tables import Column, render
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted
from otcpipe.text.printable import printable, sentence

PIPED_WIDTH = 10_000  # a pipe or a file gets every column, in one line a row
BAR_WIDTH = 10
SHARES_EXPONENT = -6  # quantities have six decimals, mostly zeros
console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def say(*lines: str) -> None:
    """Print lines. A line break inside one comes from outside data and is printed as U+FFFD."""
    if lines:
        console.print(Text("\n".join(map(printable, lines))), soft_wrap=True)


def terminal_width() -> int | None:
    """Return the characters of a line of the terminal; None for a pipe or a file."""
    return console.width if sys.stdout.isatty() else None


def print_table(columns: Mapping[str, Column], rows: Sequence[Row]) -> None:
    """Print rows as a table that fits the terminal; `columns` maps names of a row to its columns.

    Quantities of a column, and of its column before and after, have as many decimals as the longest.
    """
    stems: dict[str, list[object]] = {}
    for name in columns:
        stems.setdefault(_stem(name), []).extend(row[name] for row in rows)
    places = {name: _decimals(stems[_stem(name)]) for name in columns}
    cells = [
        {name: _cell(row[name], places[name], is_prose=column.is_prose) for name, column in columns.items()}
        for row in rows
    ]
    numbers = [
        name for name, column in columns.items() if column.is_number or any(is_number(row[name]) for row in rows)
    ]
    table = render(columns, cells, numbers, terminal_width())
    console.print(Text("\n".join(table.heading), style="bold"), soft_wrap=True)
    console.file.write("".join(f"{line}\n" for line in table.lines))
    if table.omitted:
        say(f"(+{counted(table.omitted, 'column')}: widen the terminal or use --json)")


def limited(rows: list[Row], limit: int | None, *, from_end: bool = False) -> tuple[list[Row], str | None]:
    """Return the first rows, or the last, and a sentence if that leaves some out."""
    if limit is None or len(rows) <= limit:
        return rows, None
    kept = rows[-limit:] if from_end else rows[:limit]
    return kept, f"The {'last' if from_end else 'first'} {limit:,} of {len(rows):,} rows: see --limit."


def say_all(sentences: Iterable[str | None]) -> None:
    """Print the sentences that are not None."""
    say(*filter(None, sentences))


def whole(shares: Decimal) -> int:
    """Round shares to whole ones, for the terminal; --json keeps the fractions."""
    return int(shares.quantize(Decimal(1), ROUND_HALF_UP))


def two_decimals(value: Decimal | None) -> Decimal | None:
    """Round to two decimals, for the terminal."""
    return None if value is None else value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def percent(fraction: Decimal | None) -> Decimal | None:
    """Return a fraction as a percentage with two decimals."""
    return None if fraction is None else two_decimals(100 * fraction)


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


def _stem(name: str) -> str:
    """Return the name without whether it is of before or after."""
    return name.removesuffix("_before").removesuffix("_after")


def _decimals(values: Iterable[object]) -> int:
    """Return how many decimals the quantities of a column need."""
    fractions = [f"{value:f}".rstrip("0").partition(".")[2] for value in values if _is_quantity(value)]
    return max(map(len, fractions), default=0)


def _cell(value: object, places: int, *, is_prose: bool) -> str:
    if places and _is_quantity(value):
        return f"{value:,.{places}f}"
    return sentence(value) if is_prose and isinstance(value, str) else shown(value)


def shown(value: object) -> str:
    """Return a value as the cell of a table, quantities without zeros at their end."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"  # the heading says UTC
    if _is_quantity(value):
        return f"{value:,f}".rstrip("0").rstrip(".")
    return f"{value:,}" if is_number(value) else printable(str(value))


def _is_quantity(value: object) -> TypeGuard[Decimal]:
    return isinstance(value, Decimal) and value.as_tuple().exponent == SHARES_EXPONENT


def is_number(value: object) -> bool:
    """Return whether a value is aligned to the right."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
