"""Commands about venues."""

from typing import Annotated

import typer

from otcpipe.cli.commands import completion
from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.options import AsOf, Csv, Json, LastWeek, Scope, Week, limit_of
from otcpipe.cli.form import chosen
from otcpipe.errors import Invalid

commands = Commands("Read")
MarketTier = Annotated[
    str | None,
    typer.Option(
        metavar="TIER",
        autocompletion=completion.venue_tiers,
        help="T1, T2, OTCE or ALL_TIERS; default: ALL_TIERS if loaded.",
    ),
]
OwnScope = Annotated[
    str | None,
    typer.Option(
        metavar="SCOPE",
        autocompletion=completion.scopes,
        help="ATS, NON_ATS or ALL; default: the venue's own.",
    ),
]
VENUE_HELP = "An MPID such as UBSA, the CRD number of another firm, or a part of a name."


@commands.listing(
    examples=(
        "otcpipe venues --week 2025-11-14 --tier T1 --scope all",
        "otcpipe venues --timeline",
    ),
)
def venues(
    *,
    week: Week = None,
    tier: MarketTier = None,
    scope: Scope = "ATS",
    timeline: Annotated[
        bool,
        typer.Option("--timeline", help="Of all weeks: each venue's first and last, entries, exits and new names."),
    ] = False,
    limit: Annotated[int | None, limit_of("Number of venues; default: all.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Rank the venues of a week by share, with changes from one, four and thirteen weeks before."""
    form = chosen(as_json=as_json, as_csv=as_csv)
    if timeline:
        from otcpipe.cli.timeline import timeline as print_timeline

        if week or tier or as_of:
            raise Invalid(
                "The timeline is of all weeks and tiers as known now: leave --week, --tier and --as-of out."
            )
        print_timeline(scope, limit, form)
        return
    from otcpipe.cli.venues import venues

    venues(week, tier, scope, limit, as_of, form)


@commands.listing(
    examples=(
        "otcpipe venue UBSA",
        "otcpipe venue 116797 --weeks 26 --scope all",
    ),
)
def venue(
    venue: Annotated[
        str,
        typer.Argument(
            metavar="MPID|CRD|NAME", help=VENUE_HELP, autocompletion=completion.venues, show_default=False
        ),
    ],
    *,
    week: LastWeek = None,
    number: Annotated[int, typer.Option("--weeks", min=1, max=1040, metavar="N", help="Number of weeks.")] = 13,
    tier: MarketTier = None,
    scope: OwnScope = None,
    limit: Annotated[int, limit_of("Number of symbols in each table.")] = 10,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show a venue: its weeks, its largest symbols, and where it gained and lost most.

    All is as known now: otcpipe venues --as-of has the shares that were known at a moment.
    """
    from otcpipe.cli import venue as implementation

    implementation.venue(venue, week, number, tier, scope, limit, chosen(as_json=as_json, as_csv=as_csv))


@commands.listing(
    examples=(
        "otcpipe gained",
        "otcpipe gained --symbol AAPL --scope all",
        "otcpipe gained --venue UBSA --quarter",
    ),
)
def gained(
    *,
    venue: Annotated[
        str | None,
        typer.Option(
            metavar="MPID|CRD",
            autocompletion=completion.venues,
            help="Where this one gained and lost; default: which venues did.",
        ),
    ] = None,
    symbol: Annotated[
        str | None,
        typer.Option(
            metavar="SYMBOL", autocompletion=completion.symbols, help="Which venues gained share of this symbol."
        ),
    ] = None,
    quarter: Annotated[
        bool, typer.Option("--quarter", help="Compare the calendar quarter with the one before, not the week.")
    ] = False,
    week: Week = None,
    tier: MarketTier = None,
    scope: OwnScope = None,
    limit: Annotated[int, limit_of("Number of venues, or of symbols gained and lost.")] = 25,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Rank who gained share of volume since the week or the quarter before, and in which symbols.

    Shares gained are (share now - share before) x the symbol's volume now: what the venue traded above its former
    share. Volumes are printed a week; --json has their sums, with the numbers of weeks. All is as known now: otcpipe
    venues --as-of has the shares that were known at a moment.
    """
    from otcpipe.cli import gained as implementation

    form = chosen(as_json=as_json, as_csv=as_csv)
    implementation.gained(venue, symbol, week, tier, scope, limit, form, is_quarter=quarter)
