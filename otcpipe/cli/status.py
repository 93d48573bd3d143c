"""Show the state of each partition."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime

from otcpipe import resources, weeks
from otcpipe.cli.attempts import next_attempt, with_time
from otcpipe.cli.console import limited, print_table, say, say_all
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.datasets import TIERS
from otcpipe.errors import Unreachable
from otcpipe.metrics import completion
from otcpipe.pipeline import ledger, oddities
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted

Attempts = Callable[[str], Mapping[str, datetime]]
COLUMNS = {
    "week_ending": key("Week ending"),
    "tier": key("Tier"),
    "state": key("State"),
    "stage": Column("Stage", 2),
    "grade": Column("Grade"),
    "rows": key("Rows"),
    "records": Column("Records", 2),
    "totals": Column("Totals", 3),
    "rejects": Column("Rejects", 3),
    "captures": Column("Captures", 3),
    "reason": key("Reason", is_prose=True, least=14),
}
MORE = ("incomplete", "next_attempt_at")  # of what programs read


def status(week: str | None, limit: int | None, form: Form, find_attempts: Attempts) -> None:
    """Print every partition that was ever requested, or those of one week, and oddities of the ledger.

    `find_attempts` returns when the next attempt of each key begins, from Redis at an address.
    """
    settings = resources.settings()
    now = settings.now()
    friday = weeks.parse_week(week, now) if week else None
    found = ledger.partitions(resources.database(), friday)
    rows = [row for row in found if row["week_ending"] <= weeks.today(now)]
    for row in rows:
        if row["state"] == "absent":
            row["state"] = weeks.state_of(row["week_ending"], row["tier"], now)
    if friday:
        known = {row["tier"]: row for row in rows}
        wanted = _first_wanted()
        rows = [
            known.get(tier) or _never_requested(tier, friday, settings.since or wanted.get(tier), now)
            for tier in TIERS
            if tier in known or tier in settings.tiers
        ]
    incomplete = completion.incomplete_by_week(resources.database(), friday or date.min, friday or date.max)
    rows = [row | {"incomplete": incomplete.get(row["week_ending"], []), "next_attempt_at": None} for row in rows]
    rows, left_out = limited(rows, limit, from_end=True)
    _add_next_attempts(rows, find_attempts)
    if write(form, rows, [*found.columns, *MORE]):
        return
    if rows:
        print_table(COLUMNS, [_shown(row) for row in rows])
    else:
        say("Nothing was imported or requested yet: `otcpipe import FILE` or `otcpipe enqueue --week DATE`.")
        say(f"The home is {settings.home}.")
    say_all([left_out, _to_be_completed(incomplete), *oddities.find(resources.database(), now, friday)])


def _add_next_attempts(rows: list[Row], find_attempts: Attempts) -> None:
    """Note when partitions that wait are tried again; what Redis would say is left out if it does not answer."""
    if any(row["state"] == "queued" for row in rows):
        with suppress(Unreachable):
            attempts = find_attempts(resources.settings()["REDIS_URL"])
            for row in rows:
                row["next_attempt_at"] = next_attempt(attempts, row)


def _to_be_completed(incomplete: dict[date, list[str]]) -> str | None:
    """Return a sentence on the weeks whose metrics wait until the weeks that they read have settled, if any."""
    if not incomplete:
        return None
    weeks_of: dict[str, list[date]] = {}
    for week, metrics in incomplete.items():
        for metric in metrics:
            weeks_of.setdefault(metric, []).append(week)
    parts = [f"{metric} of {_span(of)}" for metric, of in sorted(weeks_of.items())]
    return f"To be completed once the weeks before have settled: {', '.join(parts)}."


def _span(fridays: list[date]) -> str:
    if len(fridays) == 1:
        return str(fridays[0])
    return f"{counted(len(fridays), 'week')} from {fridays[0]} to {fridays[-1]}"


def _shown(row: Row) -> Row:
    return row | {"reason": with_time(row["reason"], row["next_attempt_at"]) or None}


def _first_wanted() -> dict[str, date]:
    with resources.database().transaction() as transaction:
        return {row["tier"]: row["week_ending"] for row in transaction.rows("first_wanted")}


def _never_requested(tier: str, friday: date, first: date | None, now: datetime) -> Row:
    """Return the row of a partition without runs; `first` is the first week that is expected of its tier."""
    state = weeks.state_of(friday, tier, now)
    fetching = f"`otcpipe enqueue --week {friday}` fetches it"
    reason = None if state == "not_due" else f"never requested: {fetching}"
    if state != "not_due" and friday < (first or weeks.newest_published(now, tier)):
        state, reason = "unwanted", f"not wanted so far: {fetching}"
    empty = ("stage", "grade", "rows", "records", "totals", "rejects", "reconciled", "source", "observed_at")
    known = {"week_ending": friday, "tier": tier, "state": state, "captures": 0, "reason": reason}
    return known | dict.fromkeys((*empty, "raw_key", "normalized_key"))
