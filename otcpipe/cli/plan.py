"""Say what a backfill takes, without any server."""

from collections.abc import Sequence
from dataclasses import asdict

from otcpipe import resources, weeks
from otcpipe.answers import arguments
from otcpipe.cli.console import say
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.errors import Invalid
from otcpipe.pipeline import capacity, planning
from otcpipe.pipeline.capacity import LOG_BYTES, Capacity
from otcpipe.text.counting import counted, size


def plan(first: str, last: str | None, tiers: Sequence[str], workers: int, form: Form) -> None:
    """Print requests, time, rows, disk and memory for the published partitions between two weeks. Raises Invalid."""
    settings = resources.settings()
    now, rate = settings.now(), int(settings["FINRA_RATE"])
    begin = weeks.parse_week(first, now)
    end = weeks.parse_week(last, now) if last else weeks.week_ending(weeks.today(now)) - planning.WEEK
    if begin > end:
        raise Invalid(f"The week ending {begin} is not before the week ending {end}.")
    chosen = planning.missing(planning.partitions_between(begin, end, arguments.tiers(tiers)), {}, now)
    found = capacity.of(chosen, rate, workers)
    span = (chosen[-1].week_ending, chosen[0].week_ending) if chosen else (begin, end)
    row = {"first_week": span[0], "last_week": span[1]} | asdict(found) | {"disk_bytes": found.disk_bytes}
    if write(form, [row]):
        return
    if not chosen:
        say(f"Nothing between the weeks ending {begin} and {end} is published yet.")
        return
    say(f"Weeks ending {span[0]} to {span[1]}, by the usual sizes of a week:", *_lines(found, rate, workers))


def _lines(found: Capacity, rate: int, workers: int) -> list[str]:
    stored = "what is stored already is counted too: see `otcpipe backfill --dry-run`"
    database = f"database {size(found.database_bytes)} (records {size(found.table_bytes)})"
    more = f"objects {size(found.object_bytes)}, PostgreSQL's log up to {size(LOG_BYTES)}"
    return [
        f"  weeks     {found.weeks:,} with {counted(found.partitions, 'published partition')}; {stored}",
        f"  rows      {found.rows:,}, {found.records:,} of them records",
        f"  FINRA     {counted(found.requests, 'request')}, at most {rate} a second",
        f"  time      at least {found.time}",
        f"  disk      {size(found.disk_bytes)}: {database}, {more}",
        f"  memory    {size(found.memory_bytes)} with {counted(workers, 'worker')} and local servers",
    ]
