"""Commands for when something went wrong."""

from typing import Annotated

import typer

from otcpipe.cli.commands.command import Commands
from otcpipe.cli.options import MOST, Json, Wait, Week
from otcpipe.errors import Invalid

commands = Commands()
dlq = Commands(no_args_is_help=True, help="Dead letters: messages that died, why, and how to replay them.")
commands.add_typer(dlq, name="dlq")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")]
StageName = Annotated[str | None, typer.Option(help="fetch, cache, parse, normalize, persist or compute.")]
ErrorClass = Annotated[str | None, typer.Option(metavar="CLASS", help="An error class, as `dlq list` shows it.")]


@commands.command()
def reconcile(
    *,
    stale: Annotated[bool, typer.Option("--stale", help="Redo what older versions of the code made.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Send again what is due and has no message left, as after a loss of Redis."""
    from otcpipe.cli import repair

    repair.reconcile_(stale=stale, is_dry=dry_run, as_json=as_json)


@commands.command()
def accept(
    *,
    week: Annotated[str, typer.Option(metavar="DATE", help="Any day of the week meant; its Friday is echoed.")],
    tier: Annotated[str, typer.Option(help="T1, T2 or OTCE.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is right as it is; kept with it.")],
) -> None:
    """Take a partition of grade F as it is: its metrics are made, as long as its content stays this."""
    from otcpipe.cli import repair

    repair.accept(week, tier, reason)


@commands.command()
def withdraw(
    capture: Annotated[str, typer.Argument(metavar="CAPTURE", help="Its number or key, as `captures` lists it.")],
    *,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why it must not count; kept with it. Needed but for --undo.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Let it count again.")] = False,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Let a wrong capture count in no answer, as-of answers included; it stays stored and listed."""
    from otcpipe.cli import captures

    captures.withdraw(capture, reason, undo=undo, is_dry=dry_run, wait=wait)


@commands.command()
def rebuild(*, dry_run: DryRun = False) -> None:
    """Bring every table back from S3 alone, as after the loss of Postgres."""
    from otcpipe.cli import rebuild

    rebuild.rebuild(is_dry=dry_run)


@commands.command()
def reprocess(
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="An object key, with or without the prefix.")
    ] = None,
    *,
    prefix: Annotated[
        str | None, typer.Option(metavar="START", help="All keys that begin so, such as raw/T1/2024.")
    ] = None,
    stage: Annotated[str | None, typer.Option(help="Where two stages read that kind of key.")] = None,
    only: Annotated[bool, typer.Option("--only", help="Just that stage, not those after it.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, max=MOST, help="With --prefix: at most so many.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Run a stage again by its message key, and those after it."""
    from otcpipe.cli import repair

    if (key is None) == (prefix is None):
        raise Invalid("Give one KEY, or the beginning of many with --prefix.")
    if key:
        repair.reprocess(key, stage, only=only, is_dry=dry_run)
    elif prefix is not None:
        repair.reprocess_all(prefix, stage, only=only, limit=limit, is_dry=dry_run)


@commands.command()
def verify(
    *,
    week: Week = None,
    every: Annotated[bool, typer.Option("--all", help="All weeks.")] = False,
    as_json: Json = False,
) -> None:
    """Recompute what is stored from its raw bytes, and tell what differs; nothing is changed."""
    from otcpipe.cli import verify as _verify

    _verify.verify(week, every=every, as_json=as_json)


@commands.command()
def explain(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="In its own case.")],
    *,
    week: Annotated[str, typer.Option(metavar="DATE", help="Any day of the week meant; its Friday is echoed.")],
    metric: Annotated[str | None, typer.Option(help="One metric; all that are by symbol by default.")] = None,
    as_json: Json = False,
) -> None:
    """A symbol's numbers, down to the lines of the stored files behind them."""
    from otcpipe.cli import explain

    explain.explain(symbol, week, metric, as_json=as_json)


@dlq.command("list")
def dlq_list(
    *,
    stage: StageName = None,
    week: Week = None,
    error: ErrorClass = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Died on that day or later.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that were replayed or resolved.")] = False,
    as_json: Json = False,
) -> None:
    """The open letters, by error class and one by one."""
    from otcpipe.cli import dlq

    dlq.list_(stage, week, error, since, every=every, as_json=as_json)


@dlq.command("show")
def dlq_show(letter: Annotated[int, typer.Argument(metavar="ID", min=1, max=MOST)], *, as_json: Json = False) -> None:
    """All that is known of a letter: its message, its last error with the traceback."""
    from otcpipe.cli import dlq

    dlq.show(letter, as_json=as_json)


@dlq.command("replay")
def dlq_replay(
    letters: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", min=1, max=MOST)] = None,
    *,
    stage: StageName = None,
    error: ErrorClass = None,
    limit: Annotated[int | None, typer.Option(min=1, max=MOST, help="At most so many.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Run the very stages and keys of letters again; twice is once."""
    from otcpipe.cli import dlq

    dlq.replay(letters or [], stage, error, limit=limit, is_dry=dry_run)


@dlq.command("purge")
def dlq_purge(
    *,
    older_than: Annotated[int, typer.Option(metavar="DAYS", min=0, max=36500, help="Died so many days ago or more.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
) -> None:
    """Remove old letters for good; without --yes, only say how many."""
    from otcpipe.cli import dlq

    dlq.purge(older_than, yes=yes)
