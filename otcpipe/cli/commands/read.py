"""Commands that read the numbers."""

from pathlib import Path
from typing import Annotated

import typer

from otcpipe.cli.commands import completion
from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.options import AsOf, Csv, DryRun, Json, Scope, Symbol, Tier, Week, limit_of
from otcpipe.cli.form import chosen

commands = Commands("Read")


@commands.listing(
    examples=(
        "otcpipe show BRK.B",
        "otcpipe show AAPL --weeks 26 --as-of 2026-03-04",
    ),
)
def show(
    symbol: Symbol,
    *,
    week: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", autocompletion=completion.weeks, help="Any date in the last week; default: the newest."
        ),
    ] = None,
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
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show a symbol: its weeks, venues, concentration and revisions."""
    from otcpipe.cli.show import show

    show(symbol, week, number, scope, as_of, chosen(as_json=as_json, as_csv=as_csv))


@commands.listing(
    examples=(
        "otcpipe top",
        "otcpipe top --by change --tier T1 --limit 25",
    ),
)
def top(
    *,
    week: Week = None,
    by: Annotated[
        str,
        typer.Option(metavar="ORDER", autocompletion=completion.orders, help="volume, change, hhi or ats-fraction."),
    ] = "volume",
    tier: Tier = None,
    scope: Scope = "ATS",
    limit: Annotated[int, limit_of("Number of symbols.")] = 10,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Rank the symbols of a week, by default the newest that is computed."""
    from otcpipe.cli.top import top

    top(week, by, tier, scope, limit, chosen(as_json=as_json, as_csv=as_csv))


@commands.listing(
    examples=(
        "otcpipe venues",
        "otcpipe venues --week 2025-11-14 --tier T1 --scope all",
    ),
)
def venues(
    *,
    week: Week = None,
    tier: Annotated[
        str | None,
        typer.Option(
            metavar="TIER",
            autocompletion=completion.venue_tiers,
            help="T1, T2, OTCE or ALL_TIERS; default: ALL_TIERS if loaded.",
        ),
    ] = None,
    scope: Scope = "ATS",
    limit: Annotated[int | None, limit_of("Number of venues; default: all.")] = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Rank the venues of a week by share, with changes from one, four and thirteen weeks before."""
    from otcpipe.cli.venues import venues

    venues(week, tier, scope, limit, chosen(as_json=as_json, as_csv=as_csv))


@commands.command(
    examples=(
        "otcpipe publish --to lake",
        "otcpipe publish symbol_summary venue_volume --to s3://BUCKET/PREFIX --from 2025-01-03",
    ),
)
def publish(
    tables: Annotated[
        list[str] | None, typer.Argument(metavar="[TABLES]", help="venue_volume or metrics; default: all.")
    ] = None,
    *,
    place: Annotated[
        str | None,
        typer.Option("--to", metavar="TARGET", help="A folder or s3://BUCKET/PREFIX; default: OTCPIPE_PUBLISH."),
    ] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="Only from this week on.")] = None,
) -> None:
    """Publish the histories as Parquet files that other programs read without PostgreSQL."""
    from otcpipe.cli import publish

    publish.publish(tables or [], place, first)


@commands.command(
    examples=(
        "otcpipe export symbol_summary --format csv",
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
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", autocompletion=completion.weeks, help="Any date in the first week."),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--to", metavar="DATE", autocompletion=completion.weeks, help="Any date in the last week."),
    ] = None,
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
    ),
)
def report(
    *,
    week: Week = None,
    file: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Output file.")] = None,
) -> None:
    """Write a week as one page of HTML, by default the newest with all three tiers."""
    from otcpipe.cli import report as implementation

    implementation.report(week, file)
