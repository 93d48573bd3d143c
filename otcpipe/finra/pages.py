"""Read the rows of an answer from text or JSON."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from otcpipe.datasets import WEEKLY
from otcpipe.errors import Defective
from otcpipe.finra.limits import TooLarge
from otcpipe.finra.responses import NO_CONTENT, load_json
from otcpipe.finra.transport import Answer
from otcpipe.records import Page
from otcpipe.text import escapes

BOM = b"\xef\xbb\xbf"
MAX_ROWS = 505_000  # of a partition: the API's largest offset and one page
MAX_LINES = 50_000  # of a page, which has at most 5,000 rows
MAX_COLUMNS = 200
MAX_EXPONENT = 100  # of a number to be written without one, so that its digits stay bounded
NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?0*([0-9]+))?")


class _Number(str):
    """A JSON number as its exact text."""

    __slots__ = ()


def page(answer: Answer, *, is_json: bool) -> Page:
    """Return the page; raises Defective without a credible total, ValueError if the answer does not contain rows."""
    if answer.status == NO_CONTENT:
        return Page(b"", (), 0, "")
    header, rows = _json_rows(answer.body) if is_json else _text_rows(answer.body)
    if header.count(b"|") >= MAX_COLUMNS:
        raise TooLarge(f"FINRA's answer has more than {MAX_COLUMNS} columns.")
    total = answer.headers.get("Record-Total", "0" if not rows and is_json else "")
    if not re.fullmatch("[0-9]+", total):
        raise Defective("FINRA's answer lacks Record-Total.")
    if len(total.lstrip("0")) > len(str(MAX_ROWS)) or int(total) > MAX_ROWS:
        raise TooLarge(f"FINRA's Record-Total is more than {MAX_ROWS:,} rows, too many for a partition.")
    request_id = re.sub("[^!-~]", "", answer.headers.get("FINRA-api-request-id", ""))[:100]
    return Page(header, rows, int(total), request_id, is_escaped=is_json)


def _text_rows(content: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    content = content.removeprefix(BOM).replace(b"\r\n", b"\n").rstrip(b"\n")
    if content.count(b"\n") > MAX_LINES:
        raise TooLarge(f"FINRA's answer has more than {MAX_LINES:,} lines.")
    lines = content.split(b"\n")
    if b"|" not in lines[0]:
        raise ValueError("no header")
    return lines[0], tuple(lines[1:])


def _json_rows(content: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Return header and rows as escaped text: numbers without exponents, nulls empty, columns in FINRA's order."""
    if content.count(b"{") + content.count(b"[") > MAX_LINES:  # checked before parsing creates a value for each
        raise TooLarge(f"FINRA's answer has more than {MAX_LINES:,} rows.")
    answer = load_json(content, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise ValueError("no list of rows")
    columns: dict[str, None] = {}
    for row in answer:
        columns.update(dict.fromkeys(row))
        if len(columns) > MAX_COLUMNS:
            raise TooLarge(f"FINRA's answer has more than {MAX_COLUMNS} columns.")
    names = list(columns) or list(WEEKLY.api_fields)
    return "|".join(map(escapes.escape, names)).encode(), tuple(_line(row, names) for row in answer)


def _line(row: Mapping[str, Any], columns: list[str]) -> bytes:
    return "|".join([_text(row.get(name)) for name in columns]).encode()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, _Number):
        return without_exponent(value)
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        raise ValueError("a value that is not a scalar")  # noqa: TRY004 - the answer is wrong, not an argument
    return escapes.escape(value)


def without_exponent(number: str) -> str:
    """Return a JSON number without its exponent, exactly; unchanged if it would be longer than any quantity."""
    found = NUMBER.fullmatch(number)
    exponent = (found[1] or "0") if found else None
    if exponent is None or len(exponent) > len(str(MAX_EXPONENT)) or int(exponent) > MAX_EXPONENT:
        return str(number)
    written = format(Decimal(number), "f")
    return written.removeprefix("-") if not written.strip("-0.") else written  # -0 is 0
