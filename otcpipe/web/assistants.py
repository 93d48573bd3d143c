"""Serve the tools for assistants over HTTP."""

import socket

import uvicorn

from otcpipe.settings import Settings
from otcpipe.settings.exposure import require_token
from otcpipe.web import tools
from otcpipe.web.access import METHODS, Access
from otcpipe.web.reading import Reading
from otcpipe.web.serving import listening


def prepare(settings: Settings, host: str, port: int) -> tuple[uvicorn.Server, socket.socket]:
    """Return a server of the tools at the path /mcp, and its socket; raises as `serving.prepare` does."""
    require_token(host, settings["WEB_TOKEN"])
    reading = Reading(settings["DATABASE_URL"])
    reading.check()
    application = tools.create(reading).streamable_http_app(stateless_http=True, json_response=True, host=host)
    return listening(Access(application, settings["WEB_TOKEN"], (), (*METHODS, "POST")), host, port)
