"""The command line. Commands import what they need when they run, so that `--help` is quick."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from otcpipe.errors import OtcpipeError

typer_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="FINRA's weekly off-exchange volume: every version kept, every number provable.",
    epilog="Data: FINRA OTC (ATS & Non-ATS) Transparency. Exit codes: 1 failure, 2 usage, 3 a server is unreachable.",
)

Week = Annotated[str | None, typer.Option(metavar="DATE", help="Any day of the week meant; its Friday is echoed.")]
Json = Annotated[bool, typer.Option("--json", help="A list of objects, for programs.")]
Wait = Annotated[bool, typer.Option("--wait", help="Watch to the end.")]
Tiers = Annotated[list[str] | None, typer.Option("--tier", help="T1, T2 or OTCE; all three by default.")]


def app() -> None:
    """Run a command; an error of ours is one sentence, and its exit code says whose turn it is."""
    logging.basicConfig(handlers=[logging.NullHandler()])  # sentences are for people here, logs for workers
    try:
        typer_app()
    except OtcpipeError as error:
        print(f"otcpipe: {error}", file=sys.stderr)  # noqa: T201 - this is the command line
        sys.exit(error.exit_code)


@typer_app.command()
def up(
    *,
    servers_only: Annotated[bool, typer.Option("--servers-only", help="Leave the workers out.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 2,
) -> None:
    """Start PostgreSQL, Valkey, SeaweedFS and the workers; Ctrl-C stops all of it."""
    from otcpipe.cli import stack

    stack.up(0 if servers_only else workers)


@typer_app.command()
def down() -> None:
    """Stop the stack that runs in this home."""
    from otcpipe.cli import stack

    stack.down()


@typer_app.command()
def env() -> None:
    """Print `export` lines for the running stack: eval "$(otcpipe env)"."""
    from otcpipe.cli import stack

    stack.env()


@typer_app.command()
def migrate() -> None:
    """Bring the database to the newest schema, and create the bucket."""
    from otcpipe.cli import stack

    stack.migrate()


@typer_app.command("import")
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
    from otcpipe.cli import intake

    intake.import_files(files, week, tier, observed_at, wait=wait)


@typer_app.command()
def enqueue(
    *,
    week: Annotated[str, typer.Option(metavar="DATE", help="Any day of the week meant; its Friday is echoed.")],
    tier: Tiers = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask FINRA again for what is there.")] = False,
    wait: Wait = False,
) -> None:
    """Start a week: fetch its partitions from FINRA."""
    from otcpipe.cli import fetching

    fetching.enqueue(week, tier or [], refresh=refresh, wait=wait)


@typer_app.command("run")
def run_week(
    *,
    week: Annotated[str, typer.Option(metavar="DATE", help="Any day of the week meant; its Friday is echoed.")],
    tier: Tiers = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask FINRA again for what is there.")] = False,
) -> None:
    """Start a week and watch it to the end."""
    from otcpipe.cli import fetching

    fetching.enqueue(week, tier or [], refresh=refresh, wait=True)


@typer_app.command()
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
    from otcpipe.cli import fetching

    fetching.backfill(first, last, tier or [], is_dry=dry_run, wait=wait)


@typer_app.command()
def refresh(
    *,
    number: Annotated[int, typer.Option("--weeks", min=1, max=5200, help="How many of the newest weeks.")] = 26,
    every: Annotated[bool, typer.Option("--all", help="All weeks.")] = False,
    max_requests: Annotated[int, typer.Option(min=1, help="The budget of requests to FINRA.")] = 500,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    wait: Wait = False,
) -> None:
    """Ask FINRA again for published partitions, to find what was restated."""
    from otcpipe.cli import fetching

    fetching.refresh(None if every else number, max_requests, is_dry=dry_run, wait=wait)


@typer_app.command()
def revisions(
    *,
    week: Week = None,
    symbol: Annotated[str | None, typer.Option(help="One symbol, in its own case.")] = None,
    effect: Annotated[bool, typer.Option("--effect", help="What each change did to the metrics.")] = False,
    as_json: Json = False,
) -> None:
    """What changed after it was published: from what, to what, when, how late."""
    from otcpipe.cli import look

    look.revisions(week, symbol, with_effect=effect, as_json=as_json)


@typer_app.command()
def reconcile(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Send again what is due and has no message left, as after a loss of Redis."""
    from otcpipe.cli import fetching

    fetching.reconcile(is_dry=dry_run, as_json=as_json)


@typer_app.command()
def status(*, week: Week = None, as_json: Json = False) -> None:
    """Where each partition stands."""
    from otcpipe.cli import look

    look.status(week, as_json=as_json)


@typer_app.command()
def top(
    *,
    week: Week = None,
    scope: Annotated[str, typer.Option(help="ATS, NON_ATS or ALL.")] = "ATS",
    limit: Annotated[int, typer.Option(min=1, help="How many symbols.")] = 10,
    as_json: Json = False,
) -> None:
    """The largest symbols of a week, the newest computed one by default."""
    from otcpipe.cli import look

    look.top(week, scope, limit, as_json=as_json)


@typer_app.command()
def reprocess(
    key: Annotated[str, typer.Argument(metavar="KEY", help="An object key, with or without the prefix.")],
    *,
    stage: Annotated[str | None, typer.Option(help="Where two stages read that kind of key.")] = None,
    only: Annotated[bool, typer.Option("--only", help="Just that stage, not those after it.")] = False,
) -> None:
    """Run a stage again by its message key, and those after it."""
    from otcpipe.cli import intake

    intake.reprocess(key, stage, only=only)
