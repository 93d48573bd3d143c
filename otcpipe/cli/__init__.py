"""The command line."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otcpipe.cli.commands import typer_app

__all__ = ["app", "typer_app"]
INTERRUPTED = 130  # as shells count SIGINT


def app() -> None:
    """Run a command, and end the process with its exit code."""
    try:
        code = import_module("otcpipe.cli.boundary").run()  # imported here, since Ctrl-C may come meanwhile
    except KeyboardInterrupt:
        code = INTERRUPTED
        print("otcpipe: Interrupted.", file=sys.stderr)  # noqa: T201 - this is the command line
    sys.exit(code)


def __getattr__(name: str) -> Any:
    if name == "typer_app":
        return import_module("otcpipe.cli.commands").typer_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
