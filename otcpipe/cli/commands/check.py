"""Commands that compare what is stored with what the code makes."""

from typing import Annotated

import typer

from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.options import Csv, DryRun, Json, Week
from otcpipe.cli.form import chosen

commands = Commands("Repair")


@commands.command(
    examples=(
        "otcpipe verify --week 2025-11-14",
        "otcpipe verify --all --json",
    ),
)
def verify(
    *,
    week: Week = None,
    every: Annotated[bool, typer.Option("--all", help="All weeks.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Recompute what is stored from its raw bytes, and report what differs; changes nothing."""
    from otcpipe.cli import verify as _verify

    _verify.verify(week, chosen(as_json=as_json, as_csv=as_csv), every=every)


@commands.command(
    examples=(
        "otcpipe shadow --weeks 2025-11-14..2025-12-19",
        "otcpipe shadow --all --dry-run",
    ),
)
def shadow(
    *,
    weeks: Annotated[
        str | None, typer.Option(metavar="DATE..DATE", help="The first and the last week, or one week.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All weeks.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep its schemas, until the next one.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Run today's code over stored raw objects beside what is live, and show what would differ; changes nothing."""
    from otcpipe.cli import shadow as _shadow

    _shadow.shadow(weeks, chosen(as_json=as_json, as_csv=as_csv), every=every, keep=keep, is_dry=dry_run)
