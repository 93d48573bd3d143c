"""Options that several commands share."""

from typing import Annotated

import typer

MAX_NUMBER = 2**63 - 1  # of a PostgreSQL bigint

WEEK_HELP = "Any date in the week; its Friday is echoed."
Week = Annotated[str | None, typer.Option(metavar="DATE", help=WEEK_HELP)]
RequiredWeek = Annotated[str, typer.Option("--week", metavar="DATE", help=WEEK_HELP)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: a list of objects.")]
Wait = Annotated[bool, typer.Option("--wait", help="Watch until it is done or failed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")]
Tiers = Annotated[
    list[str] | None, typer.Option("--tier", help="T1, T2 or OTCE, may be repeated; default: OTCPIPE_TIERS.")
]
