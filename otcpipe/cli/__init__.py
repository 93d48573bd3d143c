"""The command line: `app` runs a command, `typer_app` holds them all. Both are imported on first use."""

import gc
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otcpipe.cli.commands import typer_app

__all__ = ["app", "typer_app"]
INTERRUPTED = 130  # as shells count SIGINT


def app() -> None:
    """Run a command and exit the process with its code, 130 after Ctrl-C."""
    gc.set_threshold(50_000, 20, 20)  # imports create many objects that stay: no use to look for garbage so often
    try:
        code = import_module("otcpipe.cli.boundary").run()  # takes a while: Ctrl-C is caught here too
    except KeyboardInterrupt:
        code = INTERRUPTED
        print("otcpipe: Interrupted.", file=sys.stderr)  # noqa: T201 - this is the command line
    gc.freeze()  # nor at the end: it would take a quarter of the time of a small command
    sys.exit(code)


def __getattr__(name: str) -> Any:
    if name == "typer_app":
        return import_module("otcpipe.cli.commands").typer_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
