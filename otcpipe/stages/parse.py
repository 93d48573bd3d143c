"""Bytes to rows of text. A line that is not a row is kept with its reason: nothing is dropped."""

import codecs
import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from otcpipe.datasets import TIERS, WEEKLY
from otcpipe.records import DICTIONARY, LINE, REASON, SYMBOL, TEXT, decode_dictionaries
from otcpipe.text import dialect, escapes, quoted
from otcpipe.text.dialect import Dialect
from otcpipe.text.limits import MAX_LINE_BYTES, MAX_REJECTS
from otcpipe.text.quoted import Malformed

VERSION = 2
CHUNK = 1 << 20
TIER_NAMES = {*TIERS, *TIERS.values()}
added_columns = dialect.added_columns
_SYMBOL = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,14}")


def rows(content: bytes) -> pa.Table:
    """Return one row a line of FINRA's delimited text below the header, all columns text, in the order of the lines.

    Columns of few distinct values may be dictionaries, which `records.plain` spells out. `_line` counts from 1, the
    first of the file; a row that holds line breaks has the number of its first line. A malformed line has its
    `_reason`, `_text`, the `_symbol` that it seems to name, and nulls elsewhere. Blank lines at the end are no lines.
    Raises Invalid when the bytes are not FINRA's text.
    """
    source = dialect.detect(content)
    table, malformed = quoted.read(source) if source.is_quoted else _read_plain(source)
    table = _with_malformed(table, malformed, source)
    return _moved(table, source.lines_above) if source.lines_above else table


def _read_plain(source: Dialect) -> tuple[pa.Table, list[Malformed]]:
    """Rows without quotes, which Arrow reads."""
    text = source.text if b"\n" in source.text else source.text + b"\n"
    text, garbled = _without_garbled(text, is_escaped=source.is_escaped)
    malformed: list[Malformed] = []
    reasons: dict[int, str] = {}

    def set_aside(row: pa.csv.InvalidRow) -> str:
        columns = row.actual_columns
        reason = reasons.setdefault(columns, f"{columns} columns instead of {row.expected_columns}")
        malformed.append(Malformed(row.number, reason, row.text if len(malformed) < MAX_REJECTS else ""))
        return "skip"

    written = tuple(map(escapes.escape, source.columns)) if source.is_escaped else source.columns
    table = _read(text, written, set_aside)
    if source.is_escaped:
        values = [escapes.unescape_column(column.combine_chunks()) for column in table.columns]
        table = pa.table(values, names=source.columns)
    table = table.add_column(0, LINE, _lines(table.num_rows, [one.line for one in malformed]))
    blank = set(_empty_lines(table)) - {one.line for one in garbled}
    lines, empty = text.split(b"\n") if blank else [], list[Malformed]()
    for line in sorted(blank):
        quoted.add_malformed(empty, line, "an empty line", lines[line - 1])
    return table, sorted(garbled + malformed + empty)


def _read(content: bytes, columns: tuple[str, ...], set_aside: Callable[[Any], str]) -> pa.Table:
    return pa.csv.read_csv(
        io.BytesIO(content),
        read_options=pa.csv.ReadOptions(
            use_threads=False,  # line numbers of bad rows need one thread
            block_size=len(content) + 1,  # a line may be longer than any block but this
        ),
        parse_options=pa.csv.ParseOptions(
            delimiter="|",
            quote_char=False,
            double_quote=False,
            escape_char=False,
            ignore_empty_lines=False,
            invalid_row_handler=set_aside,
        ),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: DICTIONARY if name in WEEKLY.dictionary_columns else pa.string() for name in columns},
            null_values=[""],  # the tickers NA and NAN are not nulls
            strings_can_be_null=True,
        ),
    ).combine_chunks()


def _without_garbled(text: bytes, *, is_escaped: bool) -> tuple[bytes, list[Malformed]]:
    """The text with lines that cannot be read emptied, so that numbering stays; and those lines.

    A NUL is one of the reasons, however it is written: PostgreSQL does not store it.
    """
    has_nul = is_escaped and escapes.NUL in text
    if not has_nul and b"\r" not in text and b"\0" not in text and _is_utf8(text) and not _has_long_line(text):
        return text, []
    lines, garbled = text.split(b"\n"), list[Malformed]()
    for at, line in enumerate(lines):
        reason = quoted.fault(line)
        if not reason and has_nul and escapes.NUL in line:
            reason = "a NUL character inside a value"
        if reason:
            quoted.add_malformed(garbled, at + 1, reason, line)
            lines[at] = b""
    return b"\n".join(lines), garbled


def _is_utf8(text: bytes) -> bool:
    """Whether the bytes are UTF-8, looked at in pieces: as one text they might take four times the room."""
    at, view = 0, memoryview(text)
    try:
        while at < len(text):
            at += codecs.utf_8_decode(view[at : at + CHUNK], "strict", at + CHUNK >= len(text))[1]
    except UnicodeDecodeError:
        return False
    return True


def _has_long_line(text: bytes) -> bool:
    """Whether a line may be too long: it has no line break in one of the stretches that are half as long."""
    step = MAX_LINE_BYTES // 2
    return any(text.find(b"\n", at, at + step) < 0 for at in range(0, len(text) - step, step))


def _lines(count: int, skipped: list[int]) -> pa.Array:
    """The line numbers of `count` rows below the header, which is line 1, when some lines were skipped."""
    numbers = np.arange(2, count + len(skipped) + 2, dtype=np.int32)
    return pa.array(np.delete(numbers, np.array(skipped, dtype=np.int64) - 2))


def _empty_lines(table: pa.Table) -> list[int]:
    empty = pa.array(np.ones(table.num_rows, dtype=bool))
    for name in table.column_names[1:]:
        empty = pc.and_(empty, table[name].is_null())
    lines: list[int] = table[LINE].filter(empty).to_pylist()
    return lines


def _with_malformed(table: pa.Table, malformed: list[Malformed], source: Dialect) -> pa.Table:
    for name in (REASON, TEXT, SYMBOL):
        table = table.append_column(name, pa.nulls(table.num_rows, pa.string()))
    if not malformed:
        return table
    bad = pa.table(
        {
            LINE: pa.array([one.line for one in malformed], pa.int32()),
            REASON: pa.array([one.reason for one in malformed], pa.string()),
            TEXT: pa.array([one.text for one in malformed], pa.string()),
            SYMBOL: pa.array([_symbol(one.text, source) for one in malformed], pa.string()),
        }
    )
    good = decode_dictionaries(table.filter(pc.invert(pc.is_in(table[LINE], bad[LINE]))))
    return pa.concat_tables([good, bad], promote_options="default").sort_by(LINE)


def _symbol(text: str, source: Dialect) -> str | None:
    """The symbol that a malformed line has at its place, if what is there may be one and a tier is at its own."""
    at, tier_at = (source.columns.index(name) for name in ("issueSymbolIdentifier", "tierDescription"))
    values = [value.strip('"') for value in text.split(source.delimiter)]
    if len(values) <= at or (tier_at < at and values[tier_at] not in TIER_NAMES):
        return None
    return values[at] if _SYMBOL.fullmatch(values[at]) else None


def _moved(table: pa.Table, lines: int) -> pa.Table:
    """The rows of a text that begins some lines below the first of the file."""
    return table.set_column(0, LINE, pc.add(table[LINE], pa.scalar(lines, pa.int32())))
