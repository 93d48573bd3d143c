"""Options that several commands share."""

from typing import Annotated, TypeVar

import typer

from otcpipe.cli.commands import completion

MAX_NUMBER = 2**63 - 1  # of a PostgreSQL bigint
WEEK_HELP = "Any date in the week; its Friday is echoed."
LAST_HELP = "Any date in the last week; default: the newest."
Number = TypeVar("Number", int, list[int], None)


def bounded(value: Number) -> Number:
    """Return a number, or several, if PostgreSQL can hold them; raises BadParameter."""
    numbers = value if isinstance(value, list) else [value or 0]
    if any(one > MAX_NUMBER for one in numbers):
        raise typer.BadParameter("it is not a valid integer: it is too large")
    return value


def limit_of(what: str) -> typer.models.OptionInfo:
    """Return the option for a number of 1 or more."""
    option: typer.models.OptionInfo = typer.Option(min=1, metavar="N", callback=bounded, help=what)
    return option


Week = Annotated[str | None, typer.Option(metavar="DATE", help=WEEK_HELP, autocompletion=completion.weeks)]
RequiredWeek = Annotated[str, typer.Option("--week", metavar="DATE", help=WEEK_HELP, autocompletion=completion.weeks)]
RequiredFirst = Annotated[
    str, typer.Option("--from", metavar="DATE", help="Any date in the first week.", autocompletion=completion.weeks)
]
First = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="DATE",
        help="Any date in the first week; default: the oldest.",
        autocompletion=completion.weeks,
    ),
]
Last = Annotated[str | None, typer.Option("--to", metavar="DATE", help=LAST_HELP, autocompletion=completion.weeks)]
LastWeek = Annotated[
    str | None, typer.Option("--week", metavar="DATE", help=LAST_HELP, autocompletion=completion.weeks)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: a list of objects.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, as RFC 4180 has it; no text is a formula.")]
NoPager = Annotated[bool, typer.Option("--no-pager", help="Print at once, even if it is longer than the screen.")]
Limit = Annotated[int | None, limit_of("Maximum number of rows; the newest are kept.")]
Wait = Annotated[bool, typer.Option("--wait", help="Watch until it is done or failed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")]
Tiers = Annotated[
    list[str] | None,
    typer.Option(
        "--tier",
        metavar="TIER",
        help="T1, T2 or OTCE, may be repeated; default: OTCPIPE_TIERS.",
        autocompletion=completion.tiers,
    ),
]
Tier = Annotated[
    str | None, typer.Option(metavar="TIER", help="T1, T2 or OTCE; default: all.", autocompletion=completion.tiers)
]
Scope = Annotated[str, typer.Option(metavar="SCOPE", help="ATS, NON_ATS or ALL.", autocompletion=completion.scopes)]
StageName = Annotated[
    str | None,
    typer.Option(metavar="STAGE", help="The name of a stage, such as persist.", autocompletion=completion.stages),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="As known at a moment, ISO with zone, or at the end of a day in New York; default: now.",
    ),
]
Symbol = Annotated[
    str,
    typer.Argument(metavar="SYMBOL", help="Case-sensitive, such as BRK.B.", autocompletion=completion.symbols),
]
