"""Commands for when something went wrong."""

from typing import Annotated

import typer

from otcpipe.cli.options import Json

commands = typer.Typer()


@commands.command()
def reconcile(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Send again what is due and has no message left, as after a loss of Redis."""
    from otcpipe.cli import fetching

    fetching.reconcile(is_dry=dry_run, as_json=as_json)


@commands.command()
def reprocess(
    key: Annotated[str, typer.Argument(metavar="KEY", help="An object key, with or without the prefix.")],
    *,
    stage: Annotated[str | None, typer.Option(help="Where two stages read that kind of key.")] = None,
    only: Annotated[bool, typer.Option("--only", help="Just that stage, not those after it.")] = False,
) -> None:
    """Run a stage again by its message key, and those after it."""
    from otcpipe.cli import intake

    intake.reprocess(key, stage, only=only)
