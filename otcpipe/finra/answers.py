"""What FINRA's answers mean: rows, a fault that may pass, or one that no repetition mends."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from otcpipe.errors import Defective, Permanent
from otcpipe.records import API_FIELDS, Page

BOM = b"\xef\xbb\xbf"
OK, NO_CONTENT, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN = 200, 204, 400, 401, 403


def page(response: requests.Response, *, is_json: bool) -> Page:
    """The rows of an answer; raises Defective without a total, ValueError for what is no rows at all."""
    if response.status_code == NO_CONTENT:
        return Page(b"", (), 0, "")
    header, rows = _json_rows(response.content) if is_json else _text_rows(response.content)
    total = response.headers.get("Record-Total", "0" if not rows and is_json else "")
    if not total.isdigit():
        raise Defective("FINRA's answer lacks Record-Total.")
    return Page(header, rows, int(total), response.headers.get("FINRA-api-request-id", ""))


def check(response: requests.Response) -> None:
    """Raises Permanent for what no repetition mends, Defective for what one may."""
    status = response.status_code
    if status in (OK, NO_CONTENT):
        return
    if status in (UNAUTHORIZED, FORBIDDEN):
        raise Permanent("FINRA asks for credentials: set OTCPIPE_FINRA_CLIENT_ID and OTCPIPE_FINRA_CLIENT_SECRET.")
    if status == BAD_REQUEST:
        raise Permanent(f"FINRA refuses the request: {_message(response)}")
    raise Defective(f"FINRA answered with status {status}.", _pause(response.headers.get("Retry-After", "")))


def _pause(text: str) -> float | None:
    """Seconds, from either form of Retry-After (RFC 9110, 10.2.3)."""
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return "without a message."


def _text_rows(content: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    lines = content.removeprefix(BOM).replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    if b"|" not in lines[0]:
        raise ValueError
    return lines[0], tuple(lines[1:])


def _json_rows(content: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """The same as text: numbers with their own digits, nulls as nothing, columns in FINRA's order."""
    answer = json.loads(content, parse_float=Decimal)
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise ValueError
    columns = list(dict.fromkeys(name for row in answer for name in row)) or list(API_FIELDS)
    return "|".join(columns).encode(), tuple(_line(row, columns) for row in answer)


def _line(row: Mapping[str, Any], columns: list[str]) -> bytes:
    texts = [_text(row.get(name)) for name in columns]
    if any("|" in text or "\n" in text for text in texts):
        raise Permanent("FINRA's JSON has a delimiter inside a value: fetch text instead (OTCPIPE_FINRA_FORMAT).")
    return "|".join(texts).encode()


def _text(value: object) -> str:
    return "" if value is None else format(value, "f") if isinstance(value, Decimal) else str(value)
