"""Run the web application."""

import errno
import socket
from contextlib import ExitStack

import uvicorn
from starlette.types import ASGIApp

from otcpipe.errors import Invalid
from otcpipe.settings import Settings
from otcpipe.settings.exposure import require_token
from otcpipe.web.application import create

MAX_CONNECTIONS, KEEP_ALIVE_SECONDS, STOP_SECONDS = 200, 10, 5
BACKLOG = 128


def prepare(settings: Settings, host: str, port: int) -> tuple[uvicorn.Server, socket.socket]:
    """Return the server and the socket that it is to listen on.

    Raises Invalid for an address that other machines can reach without a token, or that is taken; OtcpipeError if the
    role that reads is missing.
    """
    require_token(host, settings["WEB_TOKEN"])
    application = create(settings)
    application.state.services.reading.check()
    return listening(application, host, port)


def listening(application: ASGIApp, host: str, port: int) -> tuple[uvicorn.Server, socket.socket]:
    """Return a server of an application, with bounds, and its socket; raises Invalid if it cannot listen."""
    listener = _listen(host, port)
    configuration = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,  # addresses may hold the token
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=16 << 10,
        ws="none",
    )
    return uvicorn.Server(configuration), listener


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as opened:
            listener = opened.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            opened.pop_all()
    except OSError as error:
        hint = " `otcpipe up` serves them too; choose another with --port." if error.errno == errno.EADDRINUSE else ""
        raise Invalid(f"The pages cannot be served on {host}:{port}: {error.strerror}.{hint}") from None
    except ValueError:
        raise Invalid(f"The pages cannot be served on {host}:{port}: that is not the name of a host.") from None
    return listener
