"""Lines of text and their values, which may be quoted, as in CSV."""

import csv
from collections.abc import Sequence
from typing import NamedTuple

from otcpipe.text.dialect import Dialect
from otcpipe.text.limits import MAX_LINE_BYTES, MAX_REJECTS

QUOTED_BYTES = 1000  # shown of a line that is too long
MAX_JOINED = 20  # lines of one row, whose values contain line breaks


class Malformed(NamedTuple):
    """A line that is not a row: its number in the text, the reason, and the line itself."""

    line: int
    reason: str
    text: str


def add_malformed(malformed: list[Malformed], line: int, reason: str, text: bytes) -> None:
    """Append a line that is not a row; beyond MAX_REJECTS lines without its text."""
    shown = text[: QUOTED_BYTES if len(text) > MAX_LINE_BYTES else None] if len(malformed) < MAX_REJECTS else b""
    malformed.append(Malformed(line, reason, shown.decode("utf-8", "replace")))


def values_at(lines: Sequence[bytes], at: int, source: Dialect) -> tuple[Sequence[str] | str, int]:
    """Return the values of the row that begins at a line, or why it is not a row, and how many lines it takes."""
    line = lines[at]
    reason = fault(line) or ("an empty line" if not line.strip() else "")
    if reason:
        return reason, 1
    values = _split(line, source.delimiter)
    if values is None and line.count(b'"') % 2:
        count = _count_joined(lines, at)
        joined = b"\n".join(lines[at : at + count])
        values = None if fault(joined) else _split(joined, source.delimiter)
        if values is not None and len(values) == len(source.columns):
            return values, count
        values = None
    if values is None:
        return "a quote that is not closed, or inside a value", 1
    if len(values) != len(source.columns):
        return f"{len(values)} columns instead of {len(source.columns)}", 1
    return values, 1


def fault(line: bytes) -> str:
    """Return why a line cannot be a row, whatever its columns; an empty text if nothing is wrong."""
    if len(line) > MAX_LINE_BYTES:
        return f"longer than {MAX_LINE_BYTES:,} bytes"
    if b"\0" in line:
        return "a NUL character inside the line"
    if b"\r" in line:
        return "a carriage return inside the line"
    try:
        line.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    return ""


def _count_joined(lines: Sequence[bytes], at: int) -> int:
    """Return the number of lines up to the one that closes the open quote; 1 if none does within MAX_JOINED."""
    for count, line in enumerate(lines[at + 1 : at + MAX_JOINED], 2):
        if line.count(b'"') % 2:
            return count
    return 1


def _split(line: bytes, delimiter: str) -> Sequence[str] | None:
    try:
        return next(csv.reader([line.decode()], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
