"""The command line."""

import logging
import sys

import typer

from otcpipe.cli.commands import GROUPS
from otcpipe.errors import OtcpipeError

typer_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="FINRA's weekly off-exchange volume: every version kept, every number provable.",
    epilog="Data: FINRA OTC (ATS & Non-ATS) Transparency. Exit codes: 1 failure, 2 usage, 3 a server is unreachable.",
)
for group in GROUPS:
    typer_app.add_typer(group)


def app() -> None:
    """Run a command; an error of ours is one sentence, and its exit code says whose turn it is."""
    logging.basicConfig(handlers=[logging.NullHandler()])  # sentences are for people here, logs for workers
    try:
        typer_app()
    except OtcpipeError as error:
        print(f"otcpipe: {error}", file=sys.stderr)  # noqa: T201 - this is the command line
        sys.exit(error.exit_code)
