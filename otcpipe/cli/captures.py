"""List captures, withdraw one, or restore it."""

import uuid
from collections.abc import Sequence
from datetime import UTC

from otcpipe import resources, weeks
from otcpipe.answers import arguments
from otcpipe.broker import actors
from otcpipe.cli import watch
from otcpipe.cli.console import limited, print_table, say, say_all
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.errors import Invalid
from otcpipe.pipeline import captures, decisions, definition, planning, succession
from otcpipe.pipeline.decisions import Decision
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage import keys
from otcpipe.storage.postgres import Row

COLUMNS = {
    "capture_id": key("Capture"),
    "week_ending": key("Week ending"),
    "tier": key("Tier"),
    "observed_at": Column("Observed, UTC"),
    "grade": Column("Grade"),
    "rows": Column("Rows"),
    "source": Column("Source", 2),
    "records": Column("Records", 2),
    "rejects": Column("Rejects", 2),
    "state": key("State", is_prose=True, least=9),
}


def list_(week: str | None, tier: str | None, limit: int | None, form: Form) -> None:
    """Print all captures, or those of a week and tier, in order, with their state."""
    friday = weeks.parse_week(week, resources.settings().now()) if week is not None else None
    found = captures.listed(resources.database(), friday, arguments.tier(tier) if tier is not None else None)
    partitions = succession.by_partition(found).values()
    stated = [row | {"state": _state(row, partition)} for partition in partitions for row in partition]
    rows, left_out = limited(stated, limit, from_end=True)
    if write(form, rows, [*found.columns, "state"]):
        return
    if rows:
        print_table(COLUMNS, [row | {"capture_id": str(row["capture_id"])} for row in rows])
    else:
        say("No captures.")
    say_all([left_out])


def withdraw(text: str, reason: str | None, *, undo: bool, is_dry: bool, wait: bool) -> None:
    """Exclude a capture from every answer, or with `undo` include it again; it stays stored either way."""
    every = captures.listed(resources.database(), None, None)
    capture = _find(every, text)
    partition = Partition(capture["week_ending"], capture["tier"])
    of_partition = succession.by_partition(every)[partition.week_ending, partition.tier]
    name = f"Capture {capture['capture_id']} of {partition.tier} {partition.week_ending}"
    if capture["is_withdrawn"] != undo:
        say(f"{name} {'counts' if undo else 'is withdrawn'} already; nothing to do.")
        return
    if not (undo or is_dry or (reason or "").strip()):
        raise Invalid("A reason is needed: give it with --reason; it is stored with the capture.")
    outcome = "counts again" if undo else "is withdrawn: it counts in no answer, and stays stored"
    follows = "" if undo else f" {_consequence(capture, of_partition)}"
    if is_dry:
        say(f"{name}: with this, it {outcome}.{follows}")
        return
    actors.ping()
    settings = resources.settings()
    kind, now = "restore" if undo else "withdraw", settings.now()
    decision = Decision(kind, partition, capture["fetched_key"], (reason or "undo").strip(), now)
    decisions.record(resources.database(), resources.store(), settings["S3_PREFIX"], decision)
    if capture["normalized_key"]:
        key = keys.parse(capture["normalized_key"], settings["S3_PREFIX"])
        run = Run(definition.named("persist"), key, capture["capture_id"], request=f"{kind} {uuid.uuid4()}")
        planning.enqueue(resources.database(), run, actors.send)
    say(f"{name} {outcome}.{follows}")
    if wait:
        watch.until_done([partition])


def _find(every: Sequence[Row], text: str) -> Row:
    """Return the capture by its number or its observation's key; raises Invalid if none exists."""
    found = [
        row
        for row in every
        if text in (str(row["capture_id"]), row["fetched_key"])
        or row["fetched_key"] == f"{resources.settings()['S3_PREFIX']}/{text}"
    ]
    if not found:
        raise Invalid(f"No capture {text} exists; `otcpipe captures` lists them.")
    return found[0]


def _state(capture: Row, partition: Sequence[Row]) -> str:
    if capture["is_withdrawn"]:
        return f"withdrawn: {capture['withdrawn_because']}"
    if capture["persisted_at"]:
        counts = "replaced" if succession.later(capture, partition) else "counts"
        return "; ".join([counts, *(capture["reasons"] or ())])
    return "not loaded yet" if capture["normalized_key"] is None else "does not count: it has no records"


def _consequence(capture: Row, partition: Sequence[Row]) -> str:
    """Say which capture counts in place of one that is withdrawn."""
    if later := succession.later(capture, partition):
        return f"It was replaced before: only answers as of a moment before {_time(later[0])} change."
    again = "The metrics of the week, and of later ones that read it, are computed again"
    if earlier := succession.earlier(capture, partition):
        return f"The one of {_time(earlier[-1])} with {earlier[-1]['records']:,} records takes its place. {again}."
    return f"No other counts: its week has no records of this tier until they are captured again. {again}."


def _time(capture: Row) -> str:
    return f"{capture['observed_at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC"
