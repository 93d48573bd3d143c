"""Commands that show."""

from typing import Annotated

import typer

from otcpipe.cli.options import Json, Week

commands = typer.Typer()


@commands.command()
def status(*, week: Week = None, as_json: Json = False) -> None:
    """Where each partition stands."""
    from otcpipe.cli import look

    look.status(week, as_json=as_json)


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


@commands.command()
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
