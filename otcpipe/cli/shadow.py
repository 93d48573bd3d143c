"""Show what today's code would change, before `otcpipe reconcile --stale` applies it."""

from collections.abc import Sequence
from datetime import date

from otcpipe import resources, weeks
from otcpipe.audit import shadow as _shadow
from otcpipe.audit import shadow_differences
from otcpipe.audit.shadow import SCHEMA, Outline
from otcpipe.audit.shadow_differences import WeekDifference
from otcpipe.cli.console import print_table, say
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.progress import track
from otcpipe.cli.tables import Column, key
from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.storage.postgres import Database, Row
from otcpipe.text.counting import counted, size

COLUMNS = {
    "week_ending": key("Week ending"),
    "table": key("Table"),
    "added": key("Added"),
    "removed": key("Removed"),
    "changed": key("Changed"),
    "what": Column("What", is_prose=True),
}
BYTES_OF_RECORD = 400  # with its indexes, and its part of the metrics


def shadow(span: str | None, form: Form, *, every: bool, keep: bool, is_dry: bool) -> None:
    """Run the weeks into the shadow and print what differs. Raises OtcpipeError if a capture cannot be read."""
    if bool(span) == every:
        raise Invalid("Name weeks with --weeks A..B, or give --all.")
    first, last = _span(span) if span else (date.min, date.max)
    chosen = _shadow.outline(resources.database(), first, last)
    if form is Form.TABLE:
        _say_outline(chosen)
    if is_dry:
        if not write(form, [_outline_row(chosen)]):
            say("Nothing was run.")
        return
    shadow = Database(resources.settings()["DATABASE_URL"], limits={"synchronous_commit": "off"}, schema=SCHEMA)
    try:
        with _shadow.prepared(resources.database(), shadow, chosen, keep=keep):
            findings = _run(shadow, chosen)
            compared = [
                shadow_differences.compare(resources.database(), chosen, week)
                for week in track(chosen.weeks, "comparing weeks")
            ]
    finally:
        shadow.close()
    if not write(form, [row for week in compared for row in week.rows()]):
        _say_differences(compared, [*findings, *shadow_differences.uncompared(chosen)])
        say(f"The shadow is in the schemas {SCHEMA} and {SCHEMA}_internal." if keep else "Nothing was changed.")
    if findings:
        raise OtcpipeError(f"{counted(len(findings), 'capture')} cannot be read by today's code.")


def _span(text: str) -> tuple[date, date]:
    """Return the Fridays of A..B, or of one date."""
    first, dots, last = text.partition("..")
    begin, end = weeks.parse_span(first, last if dots else first, resources.settings().now())
    return begin or date.min, end or date.max


def _run(shadow: Database, chosen: Outline) -> list[str]:
    settings = resources.settings()
    findings = [
        finding
        for partition in track(_shadow.partitions(shadow), "running captures")
        for finding in _shadow.replay(shadow, resources.store(), settings["S3_PREFIX"], partition, settings.now())
    ]
    _shadow.settle(shadow, chosen)
    for week in track(chosen.run, "computing weeks"):
        _shadow.compute_week(shadow, week)
    _shadow.complete(shadow, chosen)
    return findings


def _outline_row(chosen: Outline) -> Row:
    return {
        "first_week": chosen.weeks[0],
        "last_week": chosen.weeks[-1],
        "weeks": len(chosen.weeks),
        "weeks_before": len(chosen.run) - len(chosen.weeks),
        "captures": chosen.captures,
        "rows": chosen.rows,
        "bytes": chosen.records * BYTES_OF_RECORD,
    }


def _say_outline(chosen: Outline) -> None:
    row = _outline_row(chosen)
    before = f" and {counted(row['weeks_before'], 'week')} before, which they read" if row["weeks_before"] else ""
    say(
        f"{counted(row['weeks'], 'week')}, {row['first_week']} to {row['last_week']}{before}:"
        f" {counted(row['captures'], 'capture')}, {counted(row['rows'], 'row')}, about"
        f" {size(row['bytes'])} in PostgreSQL meanwhile."
    )


def _say_differences(compared: Sequence[WeekDifference], more: Sequence[str]) -> None:
    rows = [row | {"what": _what(row)} for week in compared for row in week.rows()]
    if rows:
        print_table(COLUMNS, rows)
    for row in rows:
        for example in row["examples"]:
            say(f"{row['table']} {row['week_ending']} {example['place']}: {_example(example)}.")
    say(*(note for week in compared for note in week.notes), *more)
    tables = counted(len({row["table"] for row in rows}), "table")
    say(f"{tables} would change." if rows else "Today's code gives what is live: no row differs.")


def _what(row: Row) -> str:
    columns = [f"{name} {count:,}" for name, count in sorted(row["columns"].items())]
    moves = [f"{one['column_name']} {one['before']} to {one['after']}: {one['rows']:,}" for one in row["moves"]]
    return "; ".join([*([", ".join(columns)] if columns else []), *moves])


def _example(example: Row) -> str:
    if not example["is_live"]:
        return "only in the shadow"
    if not example["is_shadow"]:
        return "only in the live table"
    pairs = example["differences"].items()
    return ", ".join(f"{name} {was or 'nothing'} to {now or 'nothing'}" for name, (was, now) in pairs)
