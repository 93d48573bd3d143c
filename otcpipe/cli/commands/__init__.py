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
from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.groups import Group

ABOUT = "FINRA's weekly off-exchange volume: every version kept, every number provable."
EPILOG = "Data: FINRA OTC (ATS & Non-ATS) Transparency. Exit codes: 1 failure, 2 usage, 3 a server is unreachable."
GROUPS = (
    collect.commands,
    volumes.commands,
    inspect.commands,
    read.commands,
    venues.commands,
    files.commands,
    repair.commands,
    check.commands,
    dlq.commands,
    operate.commands,
    capacity.commands,
    watch.commands,
)
NAMED = {dlq.commands: ("dlq", "Repair")}  # groups whose commands follow a name, and their heading


def _say_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"otcpipe {version('otcpipe')}")
        raise typer.Exit


def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print it.")
    ] = False,
) -> None:
    """Accept the options of otcpipe itself."""


def program(name: str = "") -> typer.Typer:
    """Return the command line; with the name of a command it alone, which is quicker to make."""
    whole = typer.Typer(
        cls=Group,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help=ABOUT,
        epilog=EPILOG,
    )
    whole.callback()(_main)
    for group in _groups_of(name) or GROUPS:
        named, heading = NAMED.get(group, (None, None))
        whole.add_typer(group, name=named, rich_help_panel=heading)
    return whole


def _groups_of(name: str) -> list[Commands]:
    """Return the groups that the command of a name needs; none if it is no command."""
    named = [group for group, (one, _) in NAMED.items() if one == name]
    return named or [found for group in GROUPS if group not in NAMED and (found := group.only(name))]


typer_app = program()
