"""Tables that fit the terminal: key columns always show, prose wraps, and other columns go by their priority."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

GAP = 2  # spaces between columns
LEAST_PROSE = 24  # characters of a prose column, as long as another column can be left out instead
LEAST = 8  # characters of a prose column on a very narrow terminal


@dataclass(frozen=True)
class Column:
    """A column of a listing; priority 0 is never left out, and higher ones are left out first."""

    heading: str
    priority: int = 1
    is_prose: bool = False  # may be wrapped
    is_number: bool = False  # is aligned to the right, even if its text is an interval
    least: int = LEAST_PROSE  # characters of a prose column before another column is left out


def key(heading: str, *, is_prose: bool = False, is_number: bool = False, least: int = LEAST_PROSE) -> Column:
    """Return a column that is shown at any width: which row it is, its state, or its main figure."""
    return Column(heading, 0, is_prose=is_prose, is_number=is_number, least=least)


@dataclass(frozen=True)
class Layout:
    """The columns that are shown, with their widths, and how many were left out."""

    widths: Mapping[str, int]
    omitted: int


def layout(columns: Mapping[str, Column], cells: Sequence[Mapping[str, str]], width: int | None) -> Layout:
    """Choose columns and widths for a terminal of so many characters; None shows everything in one line each.

    Headings are wrapped first, then prose, down to its least; then columns are left out by priority, the later
    of equals first; at last prose goes down to `LEAST`, and only too narrow a terminal wraps key columns.
    """
    whole = {name: _natural([column.heading], name, cells) for name, column in columns.items()}
    if width is None or _total(whole.values()) <= width:
        return Layout(whole, 0)
    natural = {name: _natural(_words(column), name, cells) for name, column in columns.items()}
    shown = dict(natural)
    least = {name: min(natural[name], columns[name].least) for name in columns if columns[name].is_prose}
    for name in _in_order_of_omission(columns):
        if _total((shown | least).values()) <= width:
            break
        del shown[name]
        least.pop(name, None)
    return Layout(_fitted(columns, shown, width), len(columns) - len(shown))


def _in_order_of_omission(columns: Mapping[str, Column]) -> list[str]:
    optional = [name for name, column in columns.items() if column.priority]
    return sorted(optional, key=lambda name: (-columns[name].priority, -optional.index(name)))


def _fitted(columns: Mapping[str, Column], natural: Mapping[str, int], width: int) -> dict[str, int]:
    """Narrow the widest prose column, character by character, until all fit; after prose any column."""
    widths = dict(natural)
    for is_prose in (True, False):
        some = [name for name in widths if columns[name].is_prose or not is_prose]
        while some and _total(widths.values()) > width:
            widest = max(some, key=lambda name: widths[name])
            if widths[widest] <= (LEAST if is_prose else 1):
                break
            widths[widest] -= 1
    return widths


def _natural(headings: Sequence[str], name: str, cells: Sequence[Mapping[str, str]]) -> int:
    return max(map(cell_len, (*headings, *(row[name] for row in cells))), default=0)


def _words(column: Column) -> list[str]:
    """Return the pieces into which the heading may be wrapped."""
    return column.heading.split() if column.priority else [column.heading]


def _total(widths: Collection[int]) -> int:
    return sum(widths) + GAP * max(0, len(widths) - 1)


@dataclass(frozen=True)
class Rendered:
    """The lines of a heading and of the rows below it, and how many columns are left out."""

    heading: list[str]
    lines: list[str]
    omitted: int


def render(
    columns: Mapping[str, Column], cells: Sequence[Mapping[str, str]], numbers: Collection[str], width: int | None
) -> Rendered:
    """Lay a table out, numbers aligned to the right. What fits its column, as most does, is only padded."""
    chosen = layout(columns, cells, width)
    headings = {name: column.heading for name, column in columns.items()}
    heading, *rows = (_lines(row, chosen.widths, numbers) for row in (headings, *cells))
    return Rendered(heading, [line for lines in rows for line in lines], chosen.omitted)


def _lines(row: Mapping[str, str], widths: Mapping[str, int], numbers: Collection[str]) -> list[str]:
    wrapped = {name: _wrapped(row[name], size) for name, size in widths.items()}
    gap = " " * GAP
    return [
        gap.join(
            _padded(parts[at] if at < len(parts) else "", widths[name], is_number=name in numbers)
            for name, parts in wrapped.items()
        ).rstrip()
        for at in range(max(map(len, wrapped.values()), default=0))
    ]


def _wrapped(text: str, size: int) -> list[str]:
    """Return the text in lines of so many cells, which break at words where possible."""
    if cell_len(text) <= size:
        return [text]
    return [line.plain.rstrip() for line in Text(text).wrap(Console(), size, overflow="fold")]


def _padded(text: str, size: int, *, is_number: bool) -> str:
    blanks = " " * (size - cell_len(text))
    return blanks + text if is_number else text + blanks
