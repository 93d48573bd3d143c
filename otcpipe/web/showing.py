"""Pages as answers, with an ETag: each is made once while the stored data are the same."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from otcpipe.storage.postgres import Database
from otcpipe.web.answering import cache_control, etag
from otcpipe.web.reading import Version
from otcpipe.web.rendering import render
from otcpipe.web.services import Shared

Find = Callable[[Database], dict[str, object]]


class Showing:
    """Answers one request with a page."""

    def __init__(self, request: Request, shared: Shared) -> None:
        self._request, self._shared = request, shared

    async def __call__(
        self, template: str, find: Find, at: datetime | None = None, *, is_slow: bool = False
    ) -> Response:
        """Return a page with what `find` returns, or that nothing changed since the browser asked before."""
        reading, kept = self._shared.reading, self._shared.kept
        known = await reading.run(reading.version)
        mark = etag(self._request.url.path, self._request.query_params.multi_items(), known)
        headers = {"ETag": mark, "Cache-Control": cache_control(at)}
        if mark in self._request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        page = kept.get(mark)
        if page is None:
            page = await reading.run(lambda: self._made(template, find, known), is_slow=is_slow)
            kept.put(mark, page)
        return Response(page, headers=headers, media_type="text/html")

    async def fresh(self, template: str, find: Find, *, is_slow: bool = False) -> Response:
        """Return a page that is made for each request."""
        reading = self._shared.reading
        page = await reading.run(lambda: self._made(template, find, reading.version()), is_slow=is_slow)
        return Response(page, headers={"Cache-Control": "no-store"}, media_type="text/html")

    def _made(self, template: str, find: Find, known: Version) -> str:
        return render(template, **find(self._shared.reading.database), here=self._request.url.path, known=known)


Show = Annotated[Showing, Depends()]
