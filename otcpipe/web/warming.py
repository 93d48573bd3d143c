"""Make the first page and the list of symbols before a reader asks: at the start, and when the data changed."""

from contextlib import suppress
from functools import partial

import anyio

from otcpipe import report, resources
from otcpipe.errors import OtcpipeError
from otcpipe.web.keeping import answer
from otcpipe.web.rendering import render
from otcpipe.web.replying import etag
from otcpipe.web.services import Services
from otcpipe.web.showing import HTML

SECONDS = 20.0


async def keep_warm(services: Services) -> None:
    """Look every twenty seconds whether the data changed."""
    seen = ""
    while True:
        with suppress(OtcpipeError):  # nothing is loaded, or a server is down for a while
            seen = await services.reading.run(partial(_warm, services, seen), is_slow=True)
        await anyio.sleep(SECONDS)


def _warm(services: Services, seen: str) -> str:
    """Make what is missing if the version is not the one that was seen; return the version."""
    known = services.reading.version()
    if known.text == seen:
        return seen
    services.search.find("A")
    found = report.variables(services.reading.database, None, resources.settings().now())
    page = render("home.html", **found, here="/", known=known)
    services.kept.put(etag("/", (), known.text), answer(page, HTML))
    return known.text
