"""Serve pages, the API, and tools for assistants."""

import sys
from importlib import import_module
from typing import Any

from otcpipe import resources
from otcpipe.cli.console import say
from otcpipe.errors import Invalid
from otcpipe.settings import logs
from otcpipe.stack import priority

NICENESS = 9  # a page may wait for a worker of the same machine, which takes seven times as much of a processor


def serve(host: str | None, port: int | None) -> None:
    """Serve until a stop signal; raises Invalid if the packages of the extra are missing."""
    settings = resources.settings()
    serving = _module("serving", "web")
    host, port = host or settings["WEB_HOST"], port or int(settings["WEB_PORT"])
    server, listener = serving.prepare(settings, host, port)
    logs.configure(settings)
    say(f"Pages and the API: {_address(host, port)}. Ctrl-C stops it.")
    priority.give_way(NICENESS)
    server.run([listener])


def mcp(host: str | None, port: int | None, *, is_http: bool) -> None:
    """Answer an assistant on standard input and output, or with `is_http` several over HTTP."""
    settings = resources.settings()
    if not is_http:
        if sys.stdin.isatty():
            raise Invalid("An assistant starts this command and talks to it; `otcpipe mcp --http` serves by address.")
        _module("talking", "mcp").talk(settings)
        return
    assistants = _module("assistants", "mcp")
    host, port = host or settings["WEB_HOST"], port or int(settings["WEB_PORT"]) + 1
    server, listener = assistants.prepare(settings, host, port)
    logs.configure(settings)
    say(f"Tools for assistants: {_address(host, port)}/mcp. Ctrl-C stops it.")
    priority.give_way(NICENESS)
    server.run([listener])


def _module(name: str, extra: str) -> Any:
    """Return a module of the web application, whose packages are an extra."""
    try:
        return import_module(f"otcpipe.web.{name}")
    except ModuleNotFoundError as error:
        raise Invalid(f"The package {error.name} is missing: run `pip install 'otcpipe[{extra}]'`.") from None


def _address(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
