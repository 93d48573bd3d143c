"""Bytes to rows of text. A line that is not a row is kept with its reason: nothing is dropped."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from otcpipe.errors import Invalid
from otcpipe.records import API_FIELDS, FILE_FIELDS, LINE, REASON, TEXT, WORD, WORDS, plain

VERSION = 1
BOM = b"\xef\xbb\xbf"


def rows(content: bytes) -> pa.Table:
    """One row a line of FINRA's delimited text, header apart, all columns text, in the order of the lines.

    The columns of `records.WORDS` may be dictionaries, which `records.plain` spells out.
    `_line` counts from 1, the header's line. A malformed line has its `_reason` and `_text` and nulls elsewhere.
    Raises Invalid when the bytes are not FINRA's text.
    """
    content = content.removeprefix(BOM)
    columns = header(content)
    content, garbled = _without_garbled(content if b"\n" in content else content + b"\n")
    malformed: list[tuple[int, str, str]] = []

    def set_aside(row: pa.csv.InvalidRow) -> str:
        malformed.append((row.number, f"{row.actual_columns} columns instead of {row.expected_columns}", row.text))
        return "skip"

    table = _read(content, columns, set_aside)
    table = table.add_column(0, LINE, _lines(table.num_rows, [line for line, _, _ in malformed]))
    blank = _empty_lines(table)
    lines = content.split(b"\n") if blank else []
    empty = [(line, "an empty line", lines[line - 1].decode()) for line in blank]
    garbled_lines = {line for line, _, _ in garbled}
    aside = garbled + malformed + [entry for entry in empty if entry[0] not in garbled_lines]
    return _with_malformed(table, sorted(aside))


def header(content: bytes) -> tuple[str, ...]:
    """The columns that the first line names; raises Invalid unless they are those of the API or of a download."""
    if not content or content.isspace():
        raise Invalid("The file is empty.")
    first = content.split(b"\n", 1)[0].removesuffix(b"\r")
    if first.lstrip().startswith(b"<"):
        raise Invalid("This is a web page, not FINRA's pipe-delimited text.")
    if b"\0" in content:
        raise Invalid("This is a binary file, not FINRA's pipe-delimited text.")
    columns = tuple(first.decode("utf-8", "replace").split("|"))
    if columns == FILE_FIELDS:
        return columns
    fields = API_FIELDS if "weekStartDate" in columns or "summaryTypeCode" in columns else FILE_FIELDS
    missing = [name for name in fields if name not in columns]
    if missing and len(missing) < len(fields) // 2:
        raise Invalid(f"The header lacks {', '.join(missing)}.")
    is_usable = _is_utf8(first) and b"\r" not in first and not {LINE, REASON, TEXT} & set(columns)
    if missing or fields is FILE_FIELDS or len(set(columns)) != len(columns) or not is_usable:
        raise Invalid("The header is not that of FINRA's file.")
    return columns


def added_columns(content: bytes) -> list[str]:
    """Columns that the feed's documents do not know: they are kept in the bytes and in the parsed rows."""
    return [name for name in header(content.removeprefix(BOM)) if name not in API_FIELDS]


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
            column_types={name: WORD if name in WORDS else pa.string() for name in columns},
            null_values=[""],  # the tickers NA and NAN are not nulls
            strings_can_be_null=True,
        ),
    ).combine_chunks()


def _without_garbled(content: bytes) -> tuple[bytes, list[tuple[int, str, str]]]:
    """The content with lines that are not plain UTF-8 emptied, so that numbering stays; and those lines."""
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n")
    if b"\r" not in content and _is_utf8(content):
        return content, []
    lines, garbled = content.split(b"\n"), []
    for at, line in enumerate(lines):
        if b"\r" in line or not _is_utf8(line):
            reason = "a carriage return inside the line" if _is_utf8(line) else "not UTF-8"
            garbled.append((at + 1, reason, line.decode("utf-8", "replace")))
            lines[at] = b""
    return b"\n".join(lines), garbled


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


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


def _with_malformed(table: pa.Table, aside: list[tuple[int, str, str]]) -> pa.Table:
    for name in (REASON, TEXT):
        table = table.append_column(name, pa.nulls(table.num_rows, pa.string()))
    if not aside:
        return table
    lines, reasons, texts = ([entry[at] for entry in aside] for at in range(3))
    bad = pa.table(
        {
            LINE: pa.array(lines, pa.int32()),
            REASON: pa.array(reasons, pa.string()),
            TEXT: pa.array(texts, pa.string()),
        }
    )
    good = plain(table.filter(pc.invert(pc.is_in(table[LINE], bad[LINE]))))
    return pa.concat_tables([good, bad], promote_options="default").sort_by(LINE)
