"""Commands that bring weeks in."""

from pathlib import Path
from typing import Annotated

import typer

from otcpipe.cli.commands.command import Commands
from otcpipe.cli.options import MOST, Tiers, Wait, Week

commands = Commands()


@commands.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="FINRA's downloads, plain or .gz.")],
    *,
    week: Week = None,
    tier: Annotated[str | None, typer.Option(help="T1, T2 or OTCE; the file says it too.")] = None,
    observed_at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When the file was downloaded, ISO with zone; now by default."),
    ] = None,
    wait: Wait = False,
) -> None:
    """Bring files from FINRA's website into the pipeline, at its cache stage."""
    from otcpipe.cli import import_files

    import_files.import_files(files, week, tier, observed_at, wait=wait)


@commands.command()
def enqueue(
    *,
    week: Annotated[str, typer.Option(metavar="DATE", help="Any day of the week meant; its Friday is echoed.")],
    tier: Tiers = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask FINRA again for what is there.")] = False,
    wait: Wait = False,
) -> None:
    """Start a week: fetch its partitions from FINRA."""
    from otcpipe.cli import fetch

    fetch.enqueue(week, tier or [], refresh=refresh, wait=wait)


@commands.command("run")
def run_week(
    *,
    week: Annotated[str, typer.Option(metavar="DATE", help="Any day of the week meant; its Friday is echoed.")],
    tier: Tiers = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask FINRA again for what is there.")] = False,
) -> None:
    """Start a week and watch it to the end."""
    from otcpipe.cli import fetch

    fetch.enqueue(week, tier or [], refresh=refresh, wait=True)


@commands.command()
def backfill(
    *,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="A day of the first week.")],
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="A day of the last; now by default.")
    ] = None,
    tier: Tiers = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    wait: Wait = False,
) -> None:
    """Fetch all that is due and missing in a span of weeks."""
    from otcpipe.cli import fetch

    fetch.backfill(first, last, tier or [], is_dry=dry_run, wait=wait)


@commands.command()
def refresh(
    *,
    number: Annotated[int, typer.Option("--weeks", min=1, max=5200, help="How many of the newest weeks.")] = 26,
    every: Annotated[bool, typer.Option("--all", help="All weeks.")] = False,
    max_requests: Annotated[int, typer.Option(min=1, max=MOST, help="The budget of requests to FINRA.")] = 500,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    wait: Wait = False,
) -> None:
    """Ask FINRA again for published partitions, to find what was restated."""
    from otcpipe.cli import fetch

    fetch.refresh(None if every else number, max_requests, is_dry=dry_run, wait=wait)
