"""Answer a request from what is kept, with an ETag: each answer is made once while the stored data are the same."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response

from otcpipe.web.keeping import Answer
from otcpipe.web.services import Services


async def reply(
    request: Request,
    services: Services,
    states: Sequence[str],
    make: Callable[[], Answer],
    *,
    is_slow: bool = False,
) -> Response:
    """Return what `make` returns, or that nothing changed since the client asked before.

    Of the first of the `states` of the data; while many ask and the data change, perhaps what was returned of one of
    the others. `make` is called in a thread. Browsers ask each time, also for what was known at a moment: what a
    backfill brings was known since its publication.
    """
    path, query = request.url.path, request.query_params.multi_items()
    marks = (etag(path, query, state) for state in states)
    mark = next(marks)
    known, headers = request.headers.get("if-none-match", ""), {"Cache-Control": "private, no-cache"}
    if mark in known:
        return Response(status_code=304, headers=headers | {"ETag": mark})
    mark, found = await services.kept.get_or_renew(mark, marks, lambda: services.reading.run(make, is_slow=is_slow))
    headers["ETag"] = mark
    if mark in known:
        return Response(status_code=304, headers=headers)
    return found.response(request.headers.get("accept-encoding", ""), headers)


def etag(path: str, query: Iterable[tuple[str, str]], state: str) -> str:
    """Return a mark that changes when the answer may change."""
    given = sorted((name, text) for name, text in query if name != "token")
    parts = (_release(), path, str(given), state)
    digest = hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()
    return f'W/"{digest[:32]}"'


@cache
def _release() -> str:
    return version("otcpipe")
