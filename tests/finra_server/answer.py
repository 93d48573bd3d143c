"""An answer of the server, and the usual ones: rows, nothing, an error."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

JSON = "application/json;charset=UTF-8"
TEXT = "text/plain;charset=UTF-8"
HTML = b"<!DOCTYPE html>\n<html><body><h1>The page is not available</h1></body></html>\n"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def packed(self) -> "Answer":
        """The same with a gzip body; the quickest level, for the tests wait for it."""
        packed = gzip.compress(self.body, compresslevel=1, mtime=0)
        return Answer(self.status, packed, {**self.headers, "Content-Encoding": "gzip"})


def json_answer(value: object, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": JSON, **headers})


def html_answer(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, HTML, {"Content-Type": "text/html", **(headers or {})})


def nothing(headers: Mapping[str, str], *, as_list: bool) -> Answer:
    """No rows: 204 without a body, or 200 with an empty list."""
    if as_list:
        return Answer(200, b"[]", {"Content-Type": JSON, **headers})
    return Answer(204, b"", headers)


def error_answer(status: int, message: str, request_id: str, body: bytes = b"") -> Answer:
    """FINRA's errors are JSON whatever the Accept header says."""
    try:
        asked = json.loads(body or b"null")
    except ValueError:
        asked = None
    said = {
        "statusCode": status,
        "statusDescription": HTTPStatus(status).phrase,
        "requestId": request_id,
        "message": message,
        "dataRequest": asked,
    }
    return json_answer(said, status)
