"""Pages as answers."""

from collections.abc import Callable
from typing import Annotated

from starlette.requests import Request
from starlette.responses import Response

from otcpipe.storage.postgres import Database
from otcpipe.web.keeping import answer
from otcpipe.web.reading import Version
from otcpipe.web.rendering import render
from otcpipe.web.replying import reply
from otcpipe.web.services import Shared, depends

Find = Callable[[Database], dict[str, object]]
HTML = "text/html"


class Showing:
    """Answers one request with a page."""

    def __init__(self, request: Request, shared: Shared) -> None:
        self._request, self._shared = request, shared

    async def __call__(
        self,
        template: str,
        find: Find,
        *,
        is_slow: bool = False,
        is_of_work: bool = False,
    ) -> Response:
        """Return a page with what `find` returns, of the market's numbers or of the pipeline's work."""
        reading = self._shared.reading
        known = await reading.known()
        return await reply(
            self._request,
            self._shared,
            reading.states(known, is_of_work=is_of_work),
            lambda: answer(self._made(template, find, known), HTML),
            is_slow=is_slow,
        )

    async def fresh(self, template: str, find: Find, *, is_slow: bool = False) -> Response:
        """Return a page that is made for each request."""
        reading = self._shared.reading
        page = await reading.run(lambda: self._made(template, find, reading.version()), is_slow=is_slow)
        return Response(page, headers={"Cache-Control": "no-store"}, media_type=HTML)

    def _made(self, template: str, find: Find, known: Version) -> str:
        return render(template, **find(self._shared.reading.database), here=self._request.url.path, known=known)


Show = Annotated[Showing, depends(Showing)]
