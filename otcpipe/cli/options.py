"""Options that several commands share."""

from typing import Annotated

import typer

MOST = 2**63 - 1  # what a server takes

Week = Annotated[str | None, typer.Option(metavar="DATE", help="Any day of the week meant; its Friday is echoed.")]
Json = Annotated[bool, typer.Option("--json", help="A list of objects, for programs.")]
Wait = Annotated[bool, typer.Option("--wait", help="Watch to the end.")]
Tiers = Annotated[list[str] | None, typer.Option("--tier", help="T1, T2 or OTCE; all three by default.")]
