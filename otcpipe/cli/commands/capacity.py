"""Commands about disk, memory and time."""

from typing import Annotated

import typer

from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.options import Csv, Json, Last, RequiredFirst, Tiers
from otcpipe.cli.form import chosen

commands = Commands("Operate")


@commands.command(
    examples=(
        "otcpipe plan --from 2022-01-07",
        "otcpipe plan --from 2025-01-03 --to 2025-12-26 --tier T1",
    ),
)
def plan(
    *,
    first: RequiredFirst,
    last: Last = None,
    tier: Tiers = None,
    workers: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Number of worker processes.")] = 2,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Print what a backfill takes: requests, time, rows, disk and memory; needs no server."""
    from otcpipe.cli import plan as _plan

    _plan.plan(first, last, tier or [], workers, chosen(as_json=as_json, as_csv=as_csv))


@commands.change(
    examples=(
        "otcpipe clean --derived --older-than 90",
        "otcpipe clean --derived --older-than 90 --yes",
    ),
)
def clean(
    *,
    derived: Annotated[
        bool, typer.Option("--derived", help="Objects that are made again when they are needed; raw ones stay.")
    ] = False,
    older_than: Annotated[
        int, typer.Option(metavar="DAYS", min=0, max=36500, help="Minimum days since the end of the week.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Remove them.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Remove derived objects of old weeks; without --yes, only print how many and how large they are."""
    from otcpipe.cli import clean as _clean

    _clean.clean(older_than, chosen(as_json=as_json, as_csv=as_csv), derived=derived, yes=yes)
