"""A page of rows, and its bytes as text or JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .query import Query
from .rows import FIELDS, PLACE, json_value, published

ERRORS = "backslashreplace"  # an unpaired surrogate is written as JSON escapes it
ADDED = "added"
"""What stands in every row of a column that is not FINRA's."""


@dataclass(frozen=True)
class Page:
    """Rows as found, before they are written; `total` is what the header says."""

    lines: Sequence[str]
    total: int
    fields: tuple[str, ...]


def written(page: Page, query: Query, most_bytes: int) -> tuple[bytes, int]:
    """The body, and how many rows are in it: as many as fit in so many bytes, but at least one."""
    values, header, between, end = _format(page, query)
    parts = [values(line) for line in page.lines]
    body = f"{header}{between.join(parts)}{end}".encode(errors=ERRORS)
    if len(body) > most_bytes:
        parts = parts[: _fitting(parts, most_bytes - len(header) - len(end), len(between))]
        body = f"{header}{between.join(parts)}{end}".encode(errors=ERRORS)
    return body, len(parts)


def _fitting(parts: Sequence[str], room: int, between: int) -> int:
    for count, part in enumerate(parts):
        room -= len(part.encode(errors=ERRORS)) + between
        if room < 0:
            return max(1, count)
    return len(parts)


def _format(page: Page, query: Query) -> tuple[Callable[[str], str], str, str, str]:
    """How a line is written, and what stands before, between and after the rows."""
    if query.as_json:
        return _json_writer(page.fields), "[", ",", "]"
    quote = _quoted if query.quoted else str
    header = query.delimiter.join(map(quote, page.fields)) + "\n"
    if page.fields == FIELDS and query.delimiter == "|" and not query.quoted:
        return published, header, "\n", "\n"
    return _text_writer(page.fields, query.delimiter, quote), header, "\n", "\n"


def _text_writer(fields: Sequence[str], delimiter: str, quote: Callable[[str], str]) -> Callable[[str], str]:
    places = [PLACE.get(name, len(FIELDS)) for name in fields]

    def write(line: str) -> str:
        values = [*map(published, line.split("|")), ADDED]
        return delimiter.join([quote(values[place]) for place in places])

    return write


def _json_writer(fields: Sequence[str]) -> Callable[[str], str]:
    columns = [(name, f'"{name}":', PLACE.get(name, len(FIELDS))) for name in fields]

    def write(line: str) -> str:
        values = [*map(published, line.split("|")), ADDED]
        return "{" + ",".join([label + json_value(name, values[place]) for name, label, place in columns]) + "}"

    return write


def _quoted(value: str) -> str:
    doubled = value.replace('"', '""')
    return f'"{doubled}"' if value else ""
