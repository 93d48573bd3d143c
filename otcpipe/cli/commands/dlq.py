"""Commands on dead letters."""

from typing import Annotated

import typer

from otcpipe.cli.commands.command import Commands
from otcpipe.cli.options import MAX_NUMBER, DryRun, Json, Week

commands = Commands(
    no_args_is_help=True, help="Dead letters: messages that failed for good, why, and how to replay them."
)

StageName = Annotated[str | None, typer.Option(help="The name of a stage, such as persist.")]
ErrorClass = Annotated[str | None, typer.Option(metavar="CLASS", help="An error class, as `dlq list` shows it.")]


@commands.command("list")
def list_(
    *,
    stage: StageName = None,
    week: Week = None,
    error: ErrorClass = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only those that failed on this day or later.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Include those that were replayed or resolved.")] = False,
    as_json: Json = False,
) -> None:
    """List open dead letters, by error class and one by one."""
    from otcpipe.cli import dlq

    dlq.list_(stage, week, error, since, every=every, as_json=as_json)


@commands.command("show")
def show(
    letter: Annotated[int, typer.Argument(metavar="ID", min=1, max=MAX_NUMBER)], *, as_json: Json = False
) -> None:
    """Show a dead letter: its message, and its last error with the traceback."""
    from otcpipe.cli import dlq

    dlq.show(letter, as_json=as_json)


@commands.command("replay")
def replay(
    letters: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", min=1, max=MAX_NUMBER)] = None,
    *,
    stage: StageName = None,
    error: ErrorClass = None,
    limit: Annotated[int | None, typer.Option(min=1, max=MAX_NUMBER, help="Maximum number of letters.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Run the stages of dead letters again on their keys; replaying twice has no further effect."""
    from otcpipe.cli import dlq_replay

    dlq_replay.replay(letters or [], stage, error, limit=limit, is_dry=dry_run)


@commands.command("purge")
def purge(
    *,
    older_than: Annotated[int, typer.Option(metavar="DAYS", min=0, max=36500, help="Minimum age in days.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete them.")] = False,
) -> None:
    """Delete old dead letters; without --yes, only print how many."""
    from otcpipe.cli import dlq_replay

    dlq_replay.purge(older_than, yes=yes)
