"""Commands that show."""

from pathlib import Path
from typing import Annotated

import typer

from otcpipe.cli.commands.command import Commands
from otcpipe.cli.options import MOST, Json, Week

commands = Commands()


@commands.command()
def status(*, week: Week = None, as_json: Json = False) -> None:
    """Where each partition stands."""
    from otcpipe.cli import status as _status

    _status.status(week, as_json=as_json)


@commands.command()
def coverage(
    *,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="A day of the first week; the oldest asked for.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="A day of the last week; the newest by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """What is there of all weeks that ought to be; exit 1 when something is late, failed or held."""
    from otcpipe.cli import coverage as implementation

    implementation.coverage(first, last, as_json=as_json)


@commands.command()
def captures(
    *,
    week: Week = None,
    tier: Annotated[str | None, typer.Option(help="T1, T2 or OTCE.")] = None,
    as_json: Json = False,
) -> None:
    """All observations of each partition, in order: source, time, rows, grade, and which are withdrawn."""
    from otcpipe.cli import captures

    captures.list_(week, tier, as_json=as_json)


@commands.command()
def revisions(
    *,
    week: Week = None,
    symbol: Annotated[str | None, typer.Option(help="One symbol, in its own case.")] = None,
    effect: Annotated[bool, typer.Option("--effect", help="What each change did to the metrics.")] = False,
    as_json: Json = False,
) -> None:
    """What changed after it was published: from what, to what, when, how late."""
    from otcpipe.cli import status as _status

    _status.revisions(week, symbol, with_effect=effect, as_json=as_json)


@commands.command()
def show(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="In its own case, as BRK.B.")],
    *,
    week: Annotated[str | None, typer.Option(metavar="DATE", help="The last week; the newest by default.")] = None,
    number: Annotated[int, typer.Option("--weeks", min=1, max=1040, help="How many weeks up to it.")] = 12,
    scope: Annotated[str | None, typer.Option(help="ATS, NON_ATS or ALL; ALL where it is known by default.")] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME", help="As known at a moment, ISO with zone; now by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """One symbol: its weeks, its venues, its concentration, its revisions."""
    from otcpipe.cli.show import show

    show(symbol, week, number, scope, as_of, as_json=as_json)


@commands.command()
def top(
    *,
    week: Week = None,
    by: Annotated[str, typer.Option(help="volume, change, hhi or ats-fraction.")] = "volume",
    tier: Annotated[str | None, typer.Option(help="T1, T2 or OTCE; all by default.")] = None,
    scope: Annotated[str, typer.Option(help="ATS, NON_ATS or ALL.")] = "ATS",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many symbols.")] = 10,
    as_json: Json = False,
) -> None:
    """The first symbols of a week, the newest computed one by default."""
    from otcpipe.cli.top import top

    top(week, by, tier, scope, limit, as_json=as_json)


@commands.command()
def venues(
    *,
    week: Week = None,
    tier: Annotated[str | None, typer.Option(help="T1, T2, OTCE or ALL_TIERS.")] = None,
    scope: Annotated[str, typer.Option(help="ATS, NON_ATS or ALL.")] = "ATS",
    as_json: Json = False,
) -> None:
    """The venues of a week by share, with changes against one, four and thirteen weeks before."""
    from otcpipe.cli.venues import venues

    venues(week, tier, scope, as_json=as_json)


@commands.command()
def export(
    *,
    table: Annotated[str, typer.Option(help="venue_volume (the records) or a metric.")],
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="A day of the first week.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="A day of the last week.")] = None,
    form: Annotated[str, typer.Option("--format", help="parquet or csv.")] = "parquet",
    as_of: Annotated[str | None, typer.Option(metavar="TIME", help="As known then, ISO with zone.")] = None,
    folder: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where to.")] = Path("export"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many rows and weeks.")] = False,
) -> None:
    """Write a table to files, one directory a week, for other tools."""
    from otcpipe.cli import export as _export

    _export.export(table, first, last, form, as_of, folder, is_dry=dry_run)


@commands.command()
def report(
    *,
    week: Week = None,
    file: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to.")] = None,
) -> None:
    """A week on one page of HTML, the newest whole week by default."""
    from otcpipe.cli import report as _report

    _report.report(week, file)
