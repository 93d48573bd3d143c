"""Detect how a file writes FINRA's rows: encoding, line ends, delimiter, quotes and columns."""

import csv
import re
from dataclasses import dataclass

from otcpipe.datasets import TIERS, WEEKLY
from otcpipe.errors import Invalid
from otcpipe.text import escapes
from otcpipe.text.columns import LINE, REASON, SYMBOL, TEXT
from otcpipe.text.limits import MAX_BYTES, MAX_COLUMNS, MAX_LINE_BYTES, MAX_LINES, MEBIBYTE

BOM = b"\xef\xbb\xbf"
UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
ZIP = b"PK\x03\x04"
DELIMITERS = "|,\t;"
BLANK = b" \t\n"
_SEPARATOR_LINE = re.compile(rb'"?sep=([|,;\t])"?\n', re.IGNORECASE)  # written by Excel


@dataclass(frozen=True)
class Dialect:
    """A file's text from its header on, in UTF-8 with LF, and how to split it into values."""

    text: bytes
    columns: tuple[str, ...]
    delimiter: str
    is_quoted: bool
    lines_above: int  # lines of the file before the header
    is_escaped: bool = False  # the values use the escapes of `otcpipe.text.escapes`


def detect(content: bytes) -> Dialect:
    """Return the dialect of a file; raises Invalid, saying what it is, if not FINRA's text with a header."""
    if len(content) > MAX_BYTES:
        raise Invalid(f"The file has more than {MAX_BYTES // MEBIBYTE} MiB, too much for a partition.")
    text, is_escaped = escapes.split_mark(_in_utf8(content))
    text = _with_line_feeds(text)
    if not text or text.isspace():
        raise Invalid("The file is empty.")
    if text.count(b"\n") > MAX_LINES:
        raise Invalid(f"The file has more than {MAX_LINES:,} lines, too many for a partition.")
    separator = _SEPARATOR_LINE.match(text)
    text = _without_blank_tail(text[separator.end() :] if separator else text)
    first = text.split(b"\n", 1)[0]
    _check_kind(first)
    if len(first) > MAX_LINE_BYTES:
        raise Invalid(f"The header is longer than {MAX_LINE_BYTES:,} bytes: this is not FINRA's file.")
    line = first.decode("utf-8", "replace")
    if is_escaped:
        columns = tuple(map(escapes.unescape, line.split("|")))
        _check_columns(columns, first)
        return Dialect(text, columns, "|", is_quoted=False, lines_above=0, is_escaped=True)
    delimiter = separator[1].decode() if separator else max(DELIMITERS, key=line.count)
    columns = _split(line, delimiter) if delimiter != "|" or '"' in line else tuple(line.split("|"))
    _check_columns(columns, first)
    is_quoted = delimiter != "|" or first.startswith(b'"') or _has_quoted_tier(text, columns)
    return Dialect(text, columns, delimiter, is_quoted, 1 if separator else 0)


def added_columns(content: bytes) -> list[str]:
    """Return the columns that FINRA does not document; raw bytes and parsed rows keep them, records do not."""
    columns = detect(content).columns
    return [name for name in columns if name not in _fields(columns)]


def _in_utf8(content: bytes) -> bytes:
    if content.startswith(BOM):
        return content[len(BOM) :]
    encoding = UTF_16.get(content[:2])
    if encoding is None and content[1:4:2] == b"\0\0" and b"\0" not in content[:4:2]:
        encoding = "utf-16-le"
    elif encoding is None and content[:3:2] == b"\0\0" and b"\0" not in content[1:4:2]:
        encoding = "utf-16-be"
    if encoding is None:
        return content
    try:
        return content.decode(encoding, "surrogatepass").removeprefix("\ufeff").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise Invalid("The file is UTF-16 text that ends inside a character; download it again.") from None


def _with_line_feeds(text: bytes) -> bytes:
    """Return the text with LF line ends; a lone CR counts as one if it ends the first line and most others."""
    if b"\r" not in text:
        return text
    text = text.replace(b"\r\n", b"\n")
    end = text.find(b"\r")
    ends_first = 0 <= end < (text.find(b"\n") if b"\n" in text else len(text))
    return text.replace(b"\r", b"\n") if ends_first and text.count(b"\r") > text.count(b"\n") else text


def _without_blank_tail(text: bytes) -> bytes:
    if not text.endswith((b"\n\n", b" \n", b"\t\n", b" ", b"\t")):
        return text
    end = len(text.rstrip(BLANK))
    line_end = text.find(b"\n", end)
    return text if line_end < 0 else text[: line_end + 1]


def _check_kind(first: bytes) -> None:
    start = first.lstrip()
    if start.startswith(b"<"):
        raise Invalid("This is a web page, not FINRA's delimited text.")
    if start.startswith((b"{", b"[")):
        raise Invalid("This is JSON; only FINRA's delimited text with a header can be read.")
    if start.startswith(ZIP):
        raise Invalid("This is a ZIP archive or an Excel workbook, a binary file: import the text as downloaded.")
    if b"\0" in first:
        raise Invalid("This is a binary file, not FINRA's delimited text.")


def _split(line: str, delimiter: str) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([line], delimiter=delimiter, strict=True), ()))
    except csv.Error:
        raise Invalid("The header has a quote that is not closed.") from None


def _fields(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the required columns: those of the API, or those of the website's file."""
    return WEEKLY.api_fields if "weekStartDate" in columns or "summaryTypeCode" in columns else WEEKLY.file_order


def _check_columns(columns: tuple[str, ...], first: bytes) -> None:
    """Raise Invalid unless all required columns are present, in any order; others may be added."""
    missing = [name for name in _fields(columns) if name not in columns]
    if missing and len(missing) == len(_fields(columns)):
        if columns[0] in {*TIERS, *TIERS.values()}:
            raise Invalid("The header is missing: the first line is a row; import the file as downloaded.")
        if len(columns) == 1 and sum(name in columns[0] for name in WEEKLY.file_order) > 1:
            raise Invalid(f"The delimiter of the header is none of {', '.join(map(repr, DELIMITERS))}.")
        raise Invalid(f"The header is not that of FINRA's file, which is {'|'.join(WEEKLY.file_order)}.")
    if missing:
        raise Invalid(f"The header lacks {', '.join(missing)}.")
    if len(columns) > MAX_COLUMNS:
        raise Invalid(f"The header has {len(columns)} columns, more than {MAX_COLUMNS}.")
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        raise Invalid(f"The header names {', '.join(repeated)} more than once.")
    if b"\r" in first or "\ufffd" in first.decode("utf-8", "replace") or {LINE, REASON, TEXT, SYMBOL} & set(columns):
        raise Invalid("The header has a column name that cannot be used.")


def _has_quoted_tier(text: bytes, columns: tuple[str, ...]) -> bool:
    """Return whether the first row quotes its tier; no tier's name contains a quote."""
    start = text.find(b"\n") + 1
    row = text[start : text.find(b"\n", start) if text.find(b"\n", start) >= 0 else None] if start else b""
    values = row.split(b"|")
    at = columns.index("tierDescription")
    return len(values) > at and len(values[at]) > 1 and values[at].startswith(b'"') and values[at].endswith(b'"')
