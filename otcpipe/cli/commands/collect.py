"""Commands that collect weeks."""

from pathlib import Path
from typing import Annotated

import typer

from otcpipe.cli.commands import completion
from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.options import DryRun, Last, RequiredFirst, RequiredWeek, Tiers, Wait, Week, limit_of

commands = Commands("Collect")


@commands.change(
    "import",
    examples=(
        "otcpipe import --wait finra_otc_weekly_otc_20251215.csv.gz",
        "otcpipe import --week 2025-11-14 --observed-at 2025-12-15T09:30:00-05:00 otc.csv",
    ),
)
def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Files downloaded from FINRA's website, plain or .gz.")
    ],
    *,
    week: Week = None,
    tier: Annotated[
        str | None,
        typer.Option(metavar="TIER", help="T1, T2 or OTCE; must match the file.", autocompletion=completion.tiers),
    ] = None,
    observed_at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time of the download, ISO with zone; default: now."),
    ] = None,
    wait: Wait = False,
) -> None:
    """Import files downloaded from FINRA's website; they skip the fetch stage."""
    from otcpipe.cli import import_files

    import_files.import_files(files, week, tier, observed_at, wait=wait)


@commands.change(
    examples=(
        "otcpipe enqueue --week 2025-11-14",
        "otcpipe enqueue --week 2025-11-14 --tier T1 --refresh --wait",
    ),
)
def enqueue(
    *,
    week: RequiredWeek,
    tier: Tiers = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch again what was captured before.")] = False,
    wait: Wait = False,
) -> None:
    """Fetch a week's partitions from FINRA."""
    from otcpipe.cli import fetch

    fetch.enqueue(week, tier or [], refresh=refresh, wait=wait)


@commands.change(
    "run",
    examples=(
        "otcpipe run --week 2025-11-14",
        "otcpipe run --week 2025-11-14 --tier T1",
    ),
)
def run_week(
    *,
    week: RequiredWeek,
    tier: Tiers = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch again what was captured before.")] = False,
) -> None:
    """Fetch a week and watch it to the end."""
    from otcpipe.cli import fetch

    fetch.enqueue(week, tier or [], refresh=refresh, wait=True)


@commands.change(
    examples=(
        "otcpipe backfill --from 2025-01-03 --dry-run",
        "otcpipe backfill --from 2025-01-03 --to 2025-06-27 --wait",
    ),
)
def backfill(
    *,
    first: RequiredFirst,
    last: Last = None,
    tier: Tiers = None,
    dry_run: DryRun = False,
    wait: Wait = False,
) -> None:
    """Fetch all partitions between two weeks that are due and missing."""
    from otcpipe.cli import fetch

    fetch.backfill(first, last, tier or [], is_dry=dry_run, wait=wait)


@commands.change(
    examples=(
        "otcpipe refresh --dry-run",
        "otcpipe refresh --weeks 52 --max-requests 200",
    ),
)
def refresh(
    *,
    number: Annotated[
        int, typer.Option("--weeks", min=1, max=5200, metavar="N", help="How many weeks back, published or not.")
    ] = 26,
    every: Annotated[bool, typer.Option("--all", help="All weeks.")] = False,
    max_requests: Annotated[int, limit_of("Maximum number of requests to FINRA.")] = 500,
    dry_run: DryRun = False,
    wait: Wait = False,
) -> None:
    """Fetch published partitions again, to find restatements."""
    from otcpipe.cli import fetch

    fetch.refresh(None if every else number, max_requests, is_dry=dry_run, wait=wait)
