"""Commands that repair."""

from typing import Annotated

import typer

from otcpipe.cli.commands import completion
from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.options import AsOf, Csv, DryRun, First, Json, Last, RequiredWeek, Symbol, Wait, limit_of
from otcpipe.cli.form import chosen
from otcpipe.errors import Invalid

commands = Commands("Repair")


@commands.change(
    examples=(
        "otcpipe reconcile --dry-run",
        "otcpipe reconcile --stale",
    ),
)
def reconcile(
    *,
    stale: Annotated[bool, typer.Option("--stale", help="Run again what an older version of the code made.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Send lost runs again: due, but with no message and no live worker, as after a loss of Redis."""
    from otcpipe.cli import reconcile

    reconcile.reconcile(chosen(as_json=as_json, as_csv=as_csv), stale=stale, is_dry=dry_run)


@commands.change(
    examples=(
        'otcpipe accept --week 2025-11-28 --tier T1 --reason "a short week"',
        'otcpipe accept --week 2025-11-28 --tier OTCE --reason "FINRA confirmed it"',
    ),
)
def accept(
    *,
    week: RequiredWeek,
    tier: Annotated[str, typer.Option(metavar="TIER", help="T1, T2 or OTCE.", autocompletion=completion.tiers)],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is correct; stored with the partition.")],
) -> None:
    """Accept a partition of grade F, so that its metrics are computed; valid for its present content only."""
    from otcpipe.cli import accept

    accept.accept(week, tier, reason)


@commands.change(
    examples=(
        'otcpipe withdraw 8123 --reason "a truncated download" --dry-run',
        "otcpipe withdraw 8123 --undo",
    ),
)
def withdraw(
    capture: Annotated[
        str, typer.Argument(metavar="CAPTURE", help="Its number or key, as `otcpipe captures` lists it.")
    ],
    *,
    reason: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Why it is wrong; stored with it. Required, except with --undo."),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Restore a withdrawn capture.")] = False,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Exclude a wrong capture from every answer, as-of answers included; it stays stored and listed."""
    from otcpipe.cli import captures

    captures.withdraw(capture, reason, undo=undo, is_dry=dry_run, wait=wait)


@commands.change(
    examples=(
        "otcpipe rebuild --dry-run",
        "otcpipe rebuild --from s3://copies/otcpipe",
    ),
)
def rebuild(
    *,
    place: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="PLACE", help="Take what the bucket lacks from a copy: DIR or s3://BUCKET/PREFIX."
        ),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Restore every table from S3 alone, as after a loss of PostgreSQL; or S3 too, from a copy."""
    from otcpipe.cli import rebuild

    rebuild.rebuild(place, is_dry=dry_run)


@commands.change(
    examples=(
        "otcpipe history",
        "otcpipe history --from 2025-11-14 --again",
    ),
)
def history(
    *,
    first: First = None,
    last: Last = None,
    again: Annotated[bool, typer.Option("--again", help="Build what is up to date too.")] = False,
) -> None:
    """Complete deferred metrics and build stale histories; the scheduler does so too."""
    from otcpipe.cli import history

    history.history(first, last, again=again)


@commands.change(
    examples=(
        "otcpipe reprocess --prefix raw/T1/2025 --dry-run",
        "otcpipe reprocess --prefix normalized/T1/2025-11-14 --stage persist --only",
    ),
)
def reprocess(
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="An object key, with or without the prefix.")
    ] = None,
    *,
    prefix: Annotated[
        str | None, typer.Option(metavar="START", help="All keys with this prefix, such as raw/T1/2024.")
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(
            metavar="STAGE", autocompletion=completion.stages, help="Which stage, if two read this kind of key."
        ),
    ] = None,
    only: Annotated[bool, typer.Option("--only", help="Only this stage, not those after it.")] = False,
    limit: Annotated[int | None, limit_of("With --prefix: maximum number of keys.")] = None,
    dry_run: DryRun = False,
    wait: Wait = False,
) -> None:
    """Run a stage again by its key, and those after it."""
    from otcpipe.cli import reprocess

    if (key is None) == (prefix is None):
        raise Invalid("Give one KEY, or a prefix of keys with --prefix.")
    if key:
        reprocess.reprocess(key, stage, only=only, is_dry=dry_run, wait=wait)
    elif prefix is not None:
        reprocess.reprocess_all(prefix, stage, only=only, limit=limit, is_dry=dry_run, wait=wait)


@commands.listing(
    rich_help_panel="Read",
    examples=(
        "otcpipe explain BRK.B --week 2025-11-14",
        "otcpipe explain BRK.B --week 2025-11-14 --metric symbol_concentration",
    ),
)
def explain(
    symbol: Symbol,
    *,
    week: RequiredWeek,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC",
            autocompletion=completion.metrics,
            help="One metric; default: all by symbol that are not deferred.",
        ),
    ] = None,
    as_of: AsOf = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show a symbol's numbers, their formulas, and the lines of stored files behind them."""
    from otcpipe.cli import explain

    explain.explain(symbol, week, metric, as_of, chosen(as_json=as_json, as_csv=as_csv))
