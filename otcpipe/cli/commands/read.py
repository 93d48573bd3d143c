"""Commands that read the numbers."""

from typing import Annotated

import typer

from otcpipe.cli.commands import completion
from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.options import AsOf, Csv, Json, LastWeek, Scope, Symbol, Tier, Week, bounded, limit_of
from otcpipe.cli.form import chosen

commands = Commands("Read")
ORDERS = "volume, trades, change, hhi, ats-fraction, or unusual: far from the symbol's 13 weeks before."
NOTIONAL_HELP = "With --by unusual, the least dollars a trading day of the week; default: none."
FLOOR_HELP = "With --by unusual, the least median volume a trading day of these weeks; default: 10000."


@commands.listing(
    examples=(
        "otcpipe show BRK.B",
        "otcpipe show AAPL --weeks 26 --as-of 2026-03-04",
    ),
)
def show(
    symbol: Symbol,
    *,
    week: LastWeek = None,
    number: Annotated[int, typer.Option("--weeks", min=1, max=1040, metavar="N", help="Number of weeks.")] = 12,
    scope: Annotated[
        str | None,
        typer.Option(
            metavar="SCOPE",
            autocompletion=completion.scopes,
            help="ATS, NON_ATS or ALL; default: ALL if it is known, else ATS.",
        ),
    ] = None,
    as_of: AsOf = None,
    with_vintages: Annotated[
        bool, typer.Option("--vintages", help="All values that were ever known, from when until when.")
    ] = False,
    limit: Annotated[int, limit_of("Number of venues, and of revisions.")] = 15,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show a symbol: its weeks, venues, concentration and revisions."""
    form = chosen(as_json=as_json, as_csv=as_csv)
    if with_vintages and as_of:
        raise typer.BadParameter("--vintages shows all moments: leave --as-of out.")
    if with_vintages:
        from otcpipe.cli.vintages import vintages

        vintages(symbol, week, number, scope, form)
        return
    from otcpipe.cli.show import show

    show(symbol, week, number, scope, as_of, form, limit=limit)


@commands.listing(
    examples=(
        "otcpipe top",
        "otcpipe top --by change --tier T1 --limit 25",
        "otcpipe top --by unusual --floor 100000 --floor-notional 5000000",
    ),
)
def top(
    *,
    week: Week = None,
    by: Annotated[
        str,
        typer.Option(metavar="ORDER", autocompletion=completion.orders, help=ORDERS),
    ] = "volume",
    tier: Tier = None,
    scope: Scope = "ATS",
    limit: Annotated[int, limit_of("Number of symbols.")] = 10,
    min_trades: Annotated[
        int,
        typer.Option(
            "--min-trades", min=0, metavar="N", callback=bounded, help="Leave out symbols with fewer trades."
        ),
    ] = 0,
    floor: Annotated[int | None, typer.Option(min=0, metavar="SHARES", help=FLOOR_HELP)] = None,
    floor_notional: Annotated[int | None, typer.Option(min=0, metavar="DOLLARS", help=NOTIONAL_HELP)] = None,
    as_of: AsOf = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Rank the symbols of a week, by default the newest that is computed. With --tier, its volume and ATS share."""
    from otcpipe.cli.top import top

    form = chosen(as_json=as_json, as_csv=as_csv)
    top(week, by, tier, scope, limit, floor, floor_notional, as_of, form, least_trades=min_trades)


@commands.listing(
    examples=(
        "otcpipe tables",
        "otcpipe tables symbol_concentration",
        "otcpipe tables hhi_upper",
    ),
)
def tables(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            autocompletion=completion.described_tables,
            help="A table, or a column. Default: all tables.",
        ),
    ] = None,
    *,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List the tables and views, a table's columns, or the tables of a column, with units and descriptions."""
    from otcpipe.cli import dictionary

    dictionary.tables(table, chosen(as_json=as_json, as_csv=as_csv))
