"""Commands that show what was collected: partitions, captures and changes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import typer

from otcpipe.cli.commands import completion
from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.options import Csv, First, Json, Last, Limit, Tier, Tiers, Week, limit_of
from otcpipe.cli.form import chosen

commands = Commands("Read")


@commands.listing(
    examples=(
        "otcpipe status",
        "otcpipe status --week 2025-11-14 --json",
    ),
)
def status(*, week: Week = None, limit: Limit = None, as_json: Json = False, as_csv: Csv = False) -> None:
    """Show the state of each partition."""
    from otcpipe.cli import status as implementation

    implementation.status(week, limit, chosen(as_json=as_json, as_csv=as_csv), _next_attempts)


def _next_attempts(url: str) -> Mapping[str, datetime]:
    """Ask Redis, whose library is slow to import, when what waits is tried again."""
    from otcpipe.broker.queues import Queues

    return Queues(url).next_attempts()


@commands.listing(
    examples=(
        "otcpipe coverage",
        "otcpipe coverage --from 2025-01-03 --to 2025-06-27",
    ),
)
def coverage(
    *,
    first: First = None,
    last: Last = None,
    tier: Tiers = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show which expected weeks are loaded, and the gaps; exit 1 if something is late, failed or held."""
    from otcpipe.cli import coverage as implementation

    implementation.coverage(first, last, tier or [], chosen(as_json=as_json, as_csv=as_csv))


@commands.listing(
    examples=(
        "otcpipe captures --week 2025-11-14",
        "otcpipe captures --tier T1 --limit 20",
    ),
)
def captures(
    *,
    week: Week = None,
    tier: Tier = None,
    limit: Limit = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List all captures in order: source, time, rows, grade, and which are withdrawn."""
    from otcpipe.cli import captures

    captures.list_(week, tier, limit, chosen(as_json=as_json, as_csv=as_csv))


@commands.listing(
    examples=(
        "otcpipe revisions --week 2025-11-14",
        "otcpipe revisions --symbol BRK.B --effect",
    ),
)
def revisions(
    *,
    week: Week = None,
    symbol: Annotated[
        str | None,
        typer.Option(
            metavar="SYMBOL", autocompletion=completion.symbols, help="One symbol, case-sensitive, such as BRK.B."
        ),
    ] = None,
    effect: Annotated[bool, typer.Option("--effect", help="Show what each change did to the metrics.")] = False,
    limit: Annotated[
        int | None, limit_of("Number of changes; the newest are kept, and of a day the largest.")
    ] = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List restatements, as captures of a week that differ show them: from what, to what, when, how late.

    --effect builds histories of the metrics that are stale first, which may take minutes.
    """
    from otcpipe.cli import revisions as implementation

    implementation.revisions(week, symbol, limit, chosen(as_json=as_json, as_csv=as_csv), with_effect=effect)
