"""The commands, in the order of the help. Each imports its implementation when it runs, so that --help is fast."""

from typing import Annotated

import typer

from otcpipe.cli.commands import (
    capacity,
    check,
    collect,
    dlq,
    files,
    inspect,
    operate,
    read,
    repair,
    venues,
    volumes,
    watch,
)
from otcpipe.cli.commands.groups import Group

typer_app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="FINRA's weekly off-exchange volume: every version kept, every number provable.",
    epilog="Data: FINRA OTC (ATS & Non-ATS) Transparency. Exit codes: 1 failure, 2 usage, 3 a server is unreachable.",
)
for group in (
    collect.commands,
    volumes.commands,
    inspect.commands,
    read.commands,
    venues.commands,
    files.commands,
    repair.commands,
    check.commands,
):
    typer_app.add_typer(group)
typer_app.add_typer(dlq.commands, name="dlq", rich_help_panel="Repair")
typer_app.add_typer(operate.commands)
typer_app.add_typer(capacity.commands)
typer_app.add_typer(watch.commands)


def _say_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"otcpipe {version('otcpipe')}")
        raise typer.Exit


@typer_app.callback()
def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print it.")
    ] = False,
) -> None:
    """Accept the options of otcpipe itself."""
