"""Commands that repair."""

from typing import Annotated

import typer

from otcpipe.cli.commands.command import Commands
from otcpipe.cli.options import MAX_NUMBER, DryRun, Json, RequiredWeek, Wait, Week
from otcpipe.errors import Invalid

commands = Commands()


@commands.command()
def reconcile(
    *,
    stale: Annotated[bool, typer.Option("--stale", help="Run again what an older version of the code made.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Send lost runs again: due, but with no message and no live worker, as after a loss of Redis."""
    from otcpipe.cli import reconcile

    reconcile.reconcile(stale=stale, is_dry=dry_run, as_json=as_json)


@commands.command()
def accept(
    *,
    week: RequiredWeek,
    tier: Annotated[str, typer.Option(help="T1, T2 or OTCE.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is correct; stored with the partition.")],
) -> None:
    """Accept a partition of grade F, so that its metrics are computed; valid for its present content only."""
    from otcpipe.cli import accept

    accept.accept(week, tier, reason)


@commands.command()
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


@commands.command()
def rebuild(*, dry_run: DryRun = False) -> None:
    """Restore every table from S3 alone, as after a loss of PostgreSQL."""
    from otcpipe.cli import rebuild

    rebuild.rebuild(is_dry=dry_run)


@commands.command()
def reprocess(
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="An object key, with or without the prefix.")
    ] = None,
    *,
    prefix: Annotated[
        str | None, typer.Option(metavar="START", help="All keys with this prefix, such as raw/T1/2024.")
    ] = None,
    stage: Annotated[str | None, typer.Option(help="Which stage, if two read this kind of key.")] = None,
    only: Annotated[bool, typer.Option("--only", help="Only this stage, not those after it.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, max=MAX_NUMBER, help="With --prefix: maximum number of keys.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Run a stage again by its key, and those after it."""
    from otcpipe.cli import reprocess

    if (key is None) == (prefix is None):
        raise Invalid("Give one KEY, or a prefix of keys with --prefix.")
    if key:
        reprocess.reprocess(key, stage, only=only, is_dry=dry_run)
    elif prefix is not None:
        reprocess.reprocess_all(prefix, stage, only=only, limit=limit, is_dry=dry_run)


@commands.command()
def verify(
    *,
    week: Week = None,
    every: Annotated[bool, typer.Option("--all", help="All weeks.")] = False,
    as_json: Json = False,
) -> None:
    """Recompute what is stored from its raw bytes, and report what differs; changes nothing."""
    from otcpipe.cli import verify as _verify

    _verify.verify(week, every=every, as_json=as_json)


@commands.command()
def explain(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Case-sensitive, such as BRK.B.")],
    *,
    week: RequiredWeek,
    metric: Annotated[str | None, typer.Option(help="One metric; default: all that are by symbol.")] = None,
    as_json: Json = False,
) -> None:
    """Show a symbol's numbers, their formulas, and the lines of stored files behind them."""
    from otcpipe.cli import explain

    explain.explain(symbol, week, metric, as_json=as_json)
