"""Commands that write the numbers to files."""

from pathlib import Path
from typing import Annotated

import typer

from otcpipe.cli.commands import completion
from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.options import AsOf, DryRun, First, Last, LastWeek, Symbol, Week

commands = Commands("Read")


@commands.change(
    examples=(
        "otcpipe publish --to lake",
        "otcpipe publish symbol_summary venue_volume --to s3://BUCKET/PREFIX --from 2025-01-03",
    ),
)
def publish(
    tables: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TABLE", help="venue_volume or metrics; default: all but symbol_unusual and concentration_change."
        ),
    ] = None,
    *,
    place: Annotated[
        str | None,
        typer.Option("--to", metavar="TARGET", help="A folder or s3://BUCKET/PREFIX; default: OTCPIPE_PUBLISH."),
    ] = None,
    first: First = None,
) -> None:
    """Publish the histories as Parquet files that other programs read without PostgreSQL."""
    from otcpipe.cli import publish

    publish.publish(tables or [], place, first)


@commands.command(
    examples=(
        "otcpipe export symbol_summary --week 2025-11-14 --format csv",
        "otcpipe export venue_volume --from 2025-01-03 --as-of 2026-03-04 -o files",
    ),
)
def export(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            autocompletion=completion.tables,
            help="venue_volume (the records) or a metric.",
            show_default=False,
        ),
    ] = None,
    *,
    week: Week = None,
    first: First = None,
    last: Last = None,
    symbols: Annotated[
        list[str] | None, typer.Option("--symbols", metavar="A,B", help="Only these symbols, case-sensitive.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", metavar="A,B", help="Only these columns; available_at is always added."),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", autocompletion=completion.formats, help="parquet or csv.")
    ] = "parquet",
    floats: Annotated[
        bool, typer.Option("--floats", help="Floating-point numbers, for programs that cannot read decimals.")
    ] = False,
    single_file: Annotated[bool, typer.Option("--single-file", help="One file with all weeks.")] = False,
    as_of: AsOf = None,
    with_history: Annotated[
        bool, typer.Option("--history", help="All values of all times, with known_from and known_until.")
    ] = False,
    folder: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Output directory.")] = Path("export"),
    former_table: Annotated[str | None, typer.Option("--table", hidden=True)] = None,
    dry_run: DryRun = False,
) -> None:
    """Export a table to Parquet or CSV files, one directory for each week or a single file."""
    from otcpipe.cli import export as implementation

    implementation.export(
        table or former_table,
        first,
        last,
        form,
        as_of,
        folder,
        week=week,
        symbols=symbols,
        columns=columns,
        is_float=floats,
        is_single_file=single_file,
        is_history=with_history,
        is_dry=dry_run,
    )


@commands.command(
    examples=(
        "otcpipe report",
        "otcpipe report --week 2025-11-14 -o week.html",
        "otcpipe report --server http://127.0.0.1:8421",
    ),
)
def report(
    *,
    week: Week = None,
    file: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Output file.")] = None,
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Link symbols and venues to the pages of `otcpipe serve` at this address."),
    ] = None,
) -> None:
    """Write a week as one page of HTML, by default the newest with all three tiers."""
    from otcpipe.cli import report as implementation

    implementation.report(week, file, server)


@commands.command(
    examples=(
        "otcpipe chart AAPL",
        "otcpipe chart AAPL --weeks 52 -o aapl.png",
    ),
)
def chart(
    symbol: Symbol,
    *,
    week: LastWeek = None,
    number: Annotated[int, typer.Option("--weeks", min=1, max=1040, metavar="N", help="Number of weeks.")] = 26,
    scope: Annotated[
        str | None,
        typer.Option(
            metavar="SCOPE",
            autocompletion=completion.scopes,
            help="ATS, NON_ATS or ALL; default: ALL if it is known, else ATS.",
        ),
    ] = None,
    as_of: AsOf = None,
    file: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A .svg or .png file; default: SYMBOL.svg.")
    ] = None,
) -> None:
    """Draw a symbol's weeks to a picture: volume and concentration."""
    from otcpipe.cli import chart as implementation

    implementation.chart(symbol, week, number, scope, as_of, file)
