"""Commands that read what is stored."""

from pathlib import Path
from typing import Annotated

import typer

from otcpipe.cli.commands.command import Commands
from otcpipe.cli.options import MAX_NUMBER, DryRun, Json, Tiers, Week

commands = Commands()


@commands.command()
def status(*, week: Week = None, as_json: Json = False) -> None:
    """Show the state of each partition."""
    from otcpipe.cli import status as implementation

    implementation.status(week, as_json=as_json)


@commands.command()
def coverage(
    *,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="Any date in the first week; default: the oldest known."),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Any date in the last week; default: the newest.")
    ] = None,
    tier: Tiers = None,
    as_json: Json = False,
) -> None:
    """Show which expected weeks are loaded, and the gaps; exit 1 if something is late, failed or held."""
    from otcpipe.cli import coverage as implementation

    implementation.coverage(first, last, tier or [], as_json=as_json)


@commands.command()
def captures(
    *,
    week: Week = None,
    tier: Annotated[str | None, typer.Option(help="T1, T2 or OTCE.")] = None,
    as_json: Json = False,
) -> None:
    """List all captures in order: source, time, rows, grade, and which are withdrawn."""
    from otcpipe.cli import captures

    captures.list_(week, tier, as_json=as_json)


@commands.command()
def revisions(
    *,
    week: Week = None,
    symbol: Annotated[str | None, typer.Option(help="One symbol, case-sensitive.")] = None,
    effect: Annotated[bool, typer.Option("--effect", help="Show what each change did to the metrics.")] = False,
    as_json: Json = False,
) -> None:
    """List what changed after publication: from what, to what, when, how late."""
    from otcpipe.cli import revisions as implementation

    implementation.revisions(week, symbol, with_effect=effect, as_json=as_json)


@commands.command()
def show(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Case-sensitive, such as BRK.B.")],
    *,
    week: Annotated[
        str | None, typer.Option(metavar="DATE", help="Any date in the last week; default: the newest.")
    ] = None,
    number: Annotated[int, typer.Option("--weeks", min=1, max=1040, help="Number of weeks.")] = 12,
    scope: Annotated[
        str | None, typer.Option(help="ATS, NON_ATS or ALL; default: ALL if it is known, else ATS.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME", help="As known at a moment, ISO with zone; default: now.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a symbol: its weeks, venues, concentration and revisions."""
    from otcpipe.cli.show import show

    show(symbol, week, number, scope, as_of, as_json=as_json)


@commands.command()
def top(
    *,
    week: Week = None,
    by: Annotated[str, typer.Option(help="volume, change, hhi or ats-fraction.")] = "volume",
    tier: Annotated[str | None, typer.Option(help="T1, T2 or OTCE; default: all.")] = None,
    scope: Annotated[str, typer.Option(help="ATS, NON_ATS or ALL.")] = "ATS",
    limit: Annotated[int, typer.Option(min=1, max=MAX_NUMBER, help="Number of symbols.")] = 10,
    as_json: Json = False,
) -> None:
    """Rank the symbols of a week, by default the newest that is computed."""
    from otcpipe.cli.top import top

    top(week, by, tier, scope, limit, as_json=as_json)


@commands.command()
def venues(
    *,
    week: Week = None,
    tier: Annotated[str | None, typer.Option(help="T1, T2, OTCE or ALL_TIERS; default: ALL_TIERS if loaded.")] = None,
    scope: Annotated[str, typer.Option(help="ATS, NON_ATS or ALL.")] = "ATS",
    as_json: Json = False,
) -> None:
    """Rank the venues of a week by share, with changes from one, four and thirteen weeks before."""
    from otcpipe.cli.venues import venues

    venues(week, tier, scope, as_json=as_json)


@commands.command()
def export(
    table: Annotated[
        str | None,
        typer.Argument(metavar="TABLE", help="venue_volume (the records) or a metric.", show_default=False),
    ] = None,
    *,
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="Any date in the first week.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Any date in the last week.")] = None,
    symbols: Annotated[
        list[str] | None, typer.Option("--symbols", metavar="A,B", help="Only these symbols, case-sensitive.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", metavar="A,B", help="Only these columns; available_at is always added."),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="parquet or csv.")] = "parquet",
    floats: Annotated[
        bool, typer.Option("--floats", help="Floating-point numbers, for programs that cannot read decimals.")
    ] = False,
    single_file: Annotated[bool, typer.Option("--single-file", help="One file with all weeks.")] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="As known at a moment, ISO with zone; a date is the end of that day in New York."
        ),
    ] = None,
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
        is_dry=dry_run,
    )


@commands.command()
def report(
    *,
    week: Week = None,
    file: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Output file.")] = None,
) -> None:
    """Write a week as one page of HTML, by default the newest with all three tiers."""
    from otcpipe.cli import report as implementation

    implementation.report(week, file)
