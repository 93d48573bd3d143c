"""Errors as answers: Problem Details (RFC 9457) for programs, a page for people."""

import json
import logging
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from otcpipe.errors import Invalid, OtcpipeError, TooSoon, Unreachable
from otcpipe.web.parameters import wrong_values
from otcpipe.web.rendering import render

PROGRAMS = ("/api/", "/widgets.json", "/apps.json", "/openapi.json")
LISTS = ": /programs shows the addresses, and /openapi.json their parameters."
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "Authorization, If-None-Match",
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "600",
}
log = logging.getLogger(__name__)


class Problem(BaseModel):
    """Problem Details, as RFC 9457 has them."""

    type: str
    title: str
    status: int
    detail: str


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"content": {"application/problem+json": {"schema": Problem.model_json_schema()}}, "description": text}
    for status, text in {
        304: "Nothing changed since the ETag.",
        400: "A parameter is wrong.",
        401: "The token is missing.",
        404: "It is not stored.",
        410: "The data changed between two pages.",
        503: "Too many questions, or a server is down.",
    }.items()
}
PROBLEMS[304].pop("content")


class Missing(OtcpipeError):
    """What was asked for is not stored."""


class Malformed(OtcpipeError):
    """The form of an answer that was asked for is wrong."""


class Busy(OtcpipeError):
    """Too many questions at once."""


class Changed(OtcpipeError):
    """The data changed between two pages of an answer."""


def response(scope: Scope, status: int, detail: str) -> Response:
    """Return the answer that states an error."""
    title = HTTPStatus(status).phrase
    if scope["path"].startswith(PROGRAMS):
        problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        return Response(json.dumps(problem), status, media_type="application/problem+json")
    page = render("problem.html", title=title, status=status, detail=detail)
    return Response(page, status, media_type="text/html", headers={"Cache-Control": "no-store"})


def preflight(*, is_allowed: bool) -> Response:
    """Return the answer to a browser that asks whether a page of another site may ask."""
    return Response(status_code=204 if is_allowed else 403, headers=PREFLIGHT if is_allowed else None)


async def of_otcpipe(request: Request, error: Exception) -> Response:
    """Answer an error of otcpipe."""
    status = _status(error)
    found = response(request.scope, status, str(error))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        found.headers["Retry-After"] = str(int(error.seconds)) if isinstance(error, TooSoon) else "5"
    return found


def _status(error: Exception) -> int:
    kinds: tuple[tuple[type[Exception], int], ...] = (
        (Invalid, 400),
        (Malformed, 400),
        (Missing, 404),
        (Changed, 410),
        (Busy, 503),
        (TooSoon, 503),
        (Unreachable, 503),
    )
    return next((status for kind, status in kinds if isinstance(error, kind)), 503)


async def of_request(request: Request, error: Exception) -> Response:
    """Answer a request whose parameters have the wrong form."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for these alone
    return response(request.scope, 400, wrong_values(error.errors()))


async def of_http(request: Request, error: Exception) -> Response:
    """Answer an address that does not exist."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    is_missing, of_programs = status == HTTPStatus.NOT_FOUND, request.url.path.startswith(PROGRAMS)
    missing = f"No such page{LISTS if of_programs else '.'}"
    return response(request.scope, status, missing if is_missing else HTTPStatus(status).description)


async def of_defect(request: Request, error: Exception) -> Response:
    """Answer a defect without its details, which are logged."""
    log.error("A defect: %s.", type(error).__name__, exc_info=error)
    return response(request.scope, 500, "A defect of otcpipe; its log has the details.")
