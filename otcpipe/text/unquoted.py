"""Read rows without quotes with Arrow's CSV reader: a broken line costs only itself."""

import codecs
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from otcpipe.datasets import WEEKLY
from otcpipe.text import escapes
from otcpipe.text.columns import LINE
from otcpipe.text.dialect import Dialect
from otcpipe.text.limits import MAX_LINE_BYTES, MAX_REJECTS
from otcpipe.text.lines import Malformed, add_malformed, fault
from otcpipe.text.tables import DICTIONARY

CHUNK = 1 << 20  # bytes


def read(source: Dialect, names: Sequence[str] = ()) -> tuple[pa.Table, list[Malformed]]:
    """Return the rows as text, all columns or these, with their line numbers; and the lines that are not rows."""
    text = source.text if b"\n" in source.text else source.text + b"\n"
    text, unreadable = _blank_unreadable(text, is_escaped=source.is_escaped)
    malformed: list[Malformed] = []
    reasons: dict[int, str] = {}

    def skip(row: pa.csv.InvalidRow) -> str:
        columns = row.actual_columns
        reason = reasons.setdefault(columns, f"{columns} columns instead of {row.expected_columns}")
        malformed.append(Malformed(row.number, reason, row.text if len(malformed) < MAX_REJECTS else ""))
        return "skip"

    columns = tuple(map(escapes.escape, source.columns)) if source.is_escaped else source.columns
    table = _read(text, columns, skip, [] if source.is_escaped else names)
    if source.is_escaped:
        values = [unescape_column(column.combine_chunks()) for column in table.columns]
        table = pa.table(values, names=source.columns)
    table = table.add_column(0, LINE, _line_numbers(table.num_rows, [one.line for one in malformed]))
    blank = set(_empty_lines(table)) - {one.line for one in unreadable}
    lines, empty = text.split(b"\n") if blank else [], list[Malformed]()
    for line in sorted(blank):
        add_malformed(empty, line, "an empty line", lines[line - 1])
    return table, sorted(unreadable + malformed + empty)


def _read(content: bytes, columns: tuple[str, ...], skip: Callable[[Any], str], names: Sequence[str]) -> pa.Table:
    return pa.csv.read_csv(
        pa.BufferReader(content),  # without a copy
        read_options=pa.csv.ReadOptions(
            use_threads=False,  # the reader numbers bad rows only in a single thread
            block_size=len(content) + 1,  # a single block, since a line must fit into one
        ),
        parse_options=pa.csv.ParseOptions(
            delimiter="|",
            quote_char=False,
            double_quote=False,
            escape_char=False,
            ignore_empty_lines=False,
            invalid_row_handler=skip,
        ),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: DICTIONARY if name in WEEKLY.dictionary_columns else pa.string() for name in columns},
            null_values=[""],  # NA and NAN are symbols, not nulls
            strings_can_be_null=True,
            include_columns=list(names),
        ),
    ).combine_chunks()


def _blank_unreadable(text: bytes, *, is_escaped: bool) -> tuple[bytes, list[Malformed]]:
    """Return the text with unreadable lines emptied, which keeps the line numbers, and those lines.

    A NUL makes a line unreadable, whether literal or escaped, and so does an unpaired surrogate.
    """
    is_unstorable = is_escaped and escapes.unstorable(text)
    if not is_unstorable and b"\r" not in text and b"\0" not in text and _is_utf8(text) and not _has_long_line(text):
        return text, []
    lines, unreadable = text.split(b"\n"), list[Malformed]()
    for at, line in enumerate(lines):
        reason = fault(line) or (escapes.unstorable(line) if is_unstorable else None)
        if reason:
            add_malformed(unreadable, at + 1, reason, line)
            lines[at] = b""
    return b"\n".join(lines), unreadable


def _is_utf8(text: bytes) -> bool:
    """Return whether the bytes are UTF-8; decoded in chunks, since a decoded copy could be four times as large."""
    at, view = 0, memoryview(text)
    try:
        while at < len(text):
            at += codecs.utf_8_decode(view[at : at + CHUNK], "strict", at + CHUNK >= len(text))[1]
    except UnicodeDecodeError:
        return False
    return True


def _has_long_line(text: bytes) -> bool:
    """Return whether a line may be too long: one of the stretches of half that length has no line break."""
    step = MAX_LINE_BYTES // 2
    return any(text.find(b"\n", at, at + step) < 0 for at in range(0, len(text) - step, step))


def _line_numbers(count: int, skipped: list[int]) -> pa.Array:
    """Return the line numbers of `count` rows, where the header is line 1 and some lines were skipped."""
    numbers = np.arange(2, count + len(skipped) + 2, dtype=np.int32)
    return pa.array(np.delete(numbers, np.array(skipped, dtype=np.int64) - 2))


def _empty_lines(table: pa.Table) -> list[int]:
    """Return the numbers of the lines whose values are all null."""
    is_empty = pa.array(np.ones(table.num_rows, dtype=bool))
    for name in table.column_names[1:]:
        is_empty = pc.and_(is_empty, table[name].is_null())
    lines: list[int] = table[LINE].filter(is_empty).to_pylist()
    return lines


def unescape_column(column: pa.Array) -> pa.Array:
    """Return the unescaped values of a column of strings or of a dictionary."""
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, unescape_column(column.dictionary))
    for written, plain in (*escapes.SPECIAL.items(), escapes.BACKSLASH):
        column = pc.replace_substring(column, written, plain)
    return column
