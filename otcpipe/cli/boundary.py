"""Run a command: every error becomes one sentence on standard error and an exit code."""

import io
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from otcpipe import settings
from otcpipe.cli import INTERRUPTED
from otcpipe.cli.overrides import overrides
from otcpipe.errors import OtcpipeError, Unreachable
from otcpipe.text.printable import Redaction, sentence

UNPARSED = re.compile(", unable to parse .*$", re.DOTALL)  # what a library says of a number that is none
PACKAGE = str(Path(__file__).parent.parent)


def run() -> int:
    """Run the command of `sys.argv` and return its exit code. With `python -X dev`, defects raise."""
    _open_streams()
    logging.basicConfig(handlers=[logging.NullHandler()])  # commands print sentences; logs are for workers
    return _code_of(_command) or _code_of(sys.stdout.flush)


def _command() -> int:
    code = _program(sys.argv[1] if len(sys.argv) > 1 else "").main(standalone_mode=False)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


@cache
def _program(name: str) -> Any:
    """Return the program with the one command of a name, which is quicker to make; whole if it has none."""
    return typer.main.get_command(import_module("otcpipe.cli.commands").program(name))


def _code_of(work: Callable[[], int | None]) -> int:
    try:
        return work() or 0
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a traceback may show a setting
        return _code_after(error)


def _code_after(error: BaseException) -> int:
    code = 1
    match error:
        case typer.TyperException():
            code = _refuse(error)
        case Unreachable():
            code = _fail(" ".join([str(error), *_overrides()]), error.exit_code)
        case OtcpipeError():
            code = _fail(str(error), error.exit_code)
        case KeyboardInterrupt():
            code = _fail("Interrupted.", INTERRUPTED)
        case BrokenPipeError():  # the reader, such as `head`, has closed the pipe
            _drop_output()
        case OSError():
            _drop_output()
            _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
        case _ if sys.flags.dev_mode:
            raise error
        case _:
            _fail(f"A defect of otcpipe: {type(error).__name__} {_place(error)}: {error}")
    return code


def _refuse(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)  # noqa: T201 - the help itself
        return error.exit_code
    where = f" See `{context.command_path} --help`." if context else ""
    message = UNPARSED.sub("", error.format_message().rstrip(".")).replace("Input should be", "it must be")
    return _fail(f"{message}{'' if message.endswith('?') else '.'}{where}", error.exit_code)


def _fail(text: str, code: int = 1) -> int:
    with suppress(OSError):  # standard error is gone too
        print(f"otcpipe: {sentence(_redaction()(text))}", file=sys.stderr)  # noqa: T201 - this is the command line
    return code


def _redaction() -> Redaction:
    try:
        return Redaction(settings.load().secrets())
    except (OtcpipeError, OSError, ValueError):  # invalid settings are never passed on
        return Redaction(())


def _overrides() -> list[str]:
    """Return what the environment overrides, which may be why a server does not answer."""
    try:
        return overrides(os.environ)
    except (OtcpipeError, OSError, ValueError):
        return []


def _place(error: BaseException) -> str:
    """Return the innermost line of otcpipe in the traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(PACKAGE)]
    return f"in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "in a library"


def _open_streams() -> None:
    """Replace closed streams by /dev/null; let standard output print ? for characters that its encoding lacks."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for the whole process
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _drop_output() -> None:
    """Discard further standard output, which Python would flush at exit and fail."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
