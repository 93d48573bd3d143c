"""Commands on dead letters."""

from typing import Annotated

import typer

from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.groups import Group
from otcpipe.cli.commands.options import Csv, DryRun, Json, Limit, StageName, Week, bounded, limit_of
from otcpipe.cli.form import chosen

commands = Commands(
    cls=Group, no_args_is_help=True, help="Dead letters: messages that failed for good, why, and how to replay them."
)

ErrorClass = Annotated[str | None, typer.Option(metavar="CLASS", help="An error class, as `dlq list` shows it.")]


@commands.listing(
    "list",
    examples=(
        "otcpipe dlq list",
        "otcpipe dlq list --stage persist --since 2025-11-14",
    ),
)
def list_(
    *,
    stage: StageName = None,
    week: Week = None,
    error: ErrorClass = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only those that failed on this day or later.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Include those that were replayed or resolved.")] = False,
    limit: Limit = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List open dead letters, by error class and one by one."""
    from otcpipe.cli import dlq

    dlq.list_(stage, week, error, since, limit, chosen(as_json=as_json, as_csv=as_csv), every=every)


@commands.listing(
    "show",
    examples=(
        "otcpipe dlq show 3",
        "otcpipe dlq show 3 --json",
    ),
)
def show(
    letter: Annotated[int, typer.Argument(metavar="ID", min=1, callback=bounded)], *, as_json: Json = False
) -> None:
    """Show a dead letter: its message, and its last error with the traceback."""
    from otcpipe.cli import dlq

    dlq.show(letter, as_json=as_json)


@commands.change(
    "replay",
    examples=(
        "otcpipe dlq replay 3 4",
        "otcpipe dlq replay --stage persist --dry-run",
    ),
)
def replay(
    letters: Annotated[list[int] | None, typer.Argument(metavar="ID", min=1, callback=bounded)] = None,
    *,
    stage: StageName = None,
    error: ErrorClass = None,
    limit: Annotated[int | None, limit_of("Maximum number of letters.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Run the stages of dead letters again on their keys; replaying twice has no further effect."""
    from otcpipe.cli import dlq_replay

    dlq_replay.replay(letters or [], stage, error, limit=limit, is_dry=dry_run)


@commands.change(
    "purge",
    examples=(
        "otcpipe dlq purge --older-than 90",
        "otcpipe dlq purge --older-than 90 --yes",
    ),
)
def purge(
    *,
    older_than: Annotated[int, typer.Option(metavar="DAYS", min=0, max=36500, help="Minimum age in days.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete them.")] = False,
) -> None:
    """Delete old dead letters; without --yes, only print how many."""
    from otcpipe.cli import dlq_replay

    dlq_replay.purge(older_than, yes=yes)
