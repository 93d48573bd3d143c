"""The rows of an answer, from text or from JSON."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from otcpipe.datasets import WEEKLY
from otcpipe.errors import Defective
from otcpipe.finra.limits import TooLarge
from otcpipe.finra.responses import NO_CONTENT, loaded
from otcpipe.finra.transport import Answer
from otcpipe.records import Page
from otcpipe.text import escapes

BOM = b"\xef\xbb\xbf"
MOST_ROWS = 505_000  # of a partition: the API's largest offset and one page
MOST_LINES = 50_000  # of a page, whose limit is 5,000 rows
MOST_COLUMNS = 200
WIDEST = 100  # digits of a number that is written out
NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?0*([0-9]+))?")


class _Number(str):
    """A number in the digits of the JSON text, which no conversion has touched."""

    __slots__ = ()


def page(answer: Answer, *, is_json: bool) -> Page:
    """The rows; raises Defective without a credible total, ValueError for what is no rows at all."""
    if answer.status == NO_CONTENT:
        return Page(b"", (), 0, "")
    header, rows = _json_rows(answer.body) if is_json else _text_rows(answer.body)
    if header.count(b"|") >= MOST_COLUMNS:
        raise TooLarge(f"FINRA's answer has more than {MOST_COLUMNS} columns.")
    total = answer.headers.get("Record-Total", "0" if not rows and is_json else "")
    if not re.fullmatch("[0-9]+", total):
        raise Defective("FINRA's answer lacks Record-Total.")
    if len(total.lstrip("0")) > len(str(MOST_ROWS)) or int(total) > MOST_ROWS:
        raise TooLarge(f"FINRA's Record-Total says more than {MOST_ROWS:,} rows, which no partition can have.")
    request_id = re.sub("[^!-~]", "", answer.headers.get("FINRA-api-request-id", ""))[:100]
    return Page(header, rows, int(total), request_id, is_escaped=is_json)


def _text_rows(content: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    content = content.removeprefix(BOM).replace(b"\r\n", b"\n").rstrip(b"\n")
    if content.count(b"\n") > MOST_LINES:
        raise TooLarge(f"FINRA's answer has more than {MOST_LINES:,} lines.")
    lines = content.split(b"\n")
    if b"|" not in lines[0]:
        raise ValueError("no header")
    return lines[0], tuple(lines[1:])


def _json_rows(content: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """The same as text, escaped: numbers written out, nulls as nothing, columns in FINRA's order."""
    if content.count(b"{") + content.count(b"[") > MOST_LINES:  # before a value is made of each
        raise TooLarge(f"FINRA's answer has more than {MOST_LINES:,} rows.")
    answer = loaded(content, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise ValueError("no list of rows")
    columns: dict[str, None] = {}
    for row in answer:
        columns.update(dict.fromkeys(row))
        if len(columns) > MOST_COLUMNS:
            raise TooLarge(f"FINRA's answer has more than {MOST_COLUMNS} columns.")
    names = list(columns) or list(WEEKLY.api_fields)
    return "|".join(map(escapes.escape, names)).encode(), tuple(_line(row, names) for row in answer)


def _line(row: Mapping[str, Any], columns: list[str]) -> bytes:
    line = "|".join([_text(row.get(name)) for name in columns])
    return line.encode("utf-8", "replace")  # a lone surrogate is no character, and becomes ?


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, _Number):
        return written_out(value)
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        raise ValueError("a value that is no scalar")  # noqa: TRY004 - what the answer says is wrong, not a type of ours
    return escapes.escape(value)


def written_out(number: str) -> str:
    """A JSON number without its exponent, exactly; as it is where that would be longer than any quantity."""
    found = NUMBER.fullmatch(number)
    exponent = (found[1] or "0") if found else None
    if exponent is None or len(exponent) > len(str(WIDEST)) or int(exponent) > WIDEST:
        return str(number)
    written = format(Decimal(number), "f")
    return written.removeprefix("-") if not written.strip("-0.") else written  # -0 is 0
