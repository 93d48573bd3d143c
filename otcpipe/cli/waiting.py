"""Why partitions wait: no worker, the rate limit, a retry, or other partitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from otcpipe.broker.queues import Queues
from otcpipe.cli.attempts import next_attempt, with_time
from otcpipe.errors import Unreachable
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted

SHORTEST_SECONDS = 1  # of a wait for the rate limit that is worth a word


@dataclass(frozen=True)
class Wait:
    """A sentence on why partitions wait, and the cause, which stays the same while numbers in the sentence change."""

    cause: str
    sentence: str


def reason(queues: Queues, rows: Sequence[Row]) -> Wait | None:
    """Return why unfinished partitions wait; None if they do not, as far as can be seen."""
    stages = sorted({row["stage"] for row in rows if row["state"] == "queued"})
    try:
        found, seconds, attempts = queues.all(), queues.requests().wait_seconds, queues.next_attempts()
    except Unreachable as error:
        return Wait("a server", f"Waiting: {error}")
    idle = ", ".join(name for name in stages if not found[name].consumers)
    if idle:
        return Wait(idle, f"Waiting: no worker consumes {idle}; start workers with `otcpipe up`.")
    postponed = of_attempts(attempts, rows)
    if postponed:
        return postponed
    if "fetch" in stages and seconds >= SHORTEST_SECONDS:
        return Wait("the rate", f"Waiting for the rate limit of FINRA's API, now for {seconds:.0f} s.")
    return None


def of_attempts(attempts: Mapping[str, datetime], rows: Sequence[Row]) -> Wait | None:
    """Return why partitions are tried again later: an attempt failed, or they need others; None if none is."""
    failed = [row for row in rows if row["state"] == "queued" and row["retry_reason"]]
    if failed:
        return _of_failures(attempts, failed)
    postponed = [row for row in rows if row["stage"] == "compute" and next_attempt(attempts, row)]
    return _of_others(postponed, rows) if postponed else None


def _of_failures(attempts: Mapping[str, datetime], failed: Sequence[Row]) -> Wait:
    """Return what the first failed attempt met, and how many others failed in the same way."""
    first = failed[0]
    alike = [row for row in failed if (row["stage"], row["retry_reason"]) == (first["stage"], first["retry_reason"])]
    one, many = f"{first['tier']} {first['week_ending']} retries", f"{len(alike):,} partitions retry"
    moments = [moment for row in alike if (moment := next_attempt(attempts, row))]
    text = f"Waiting: {one if len(alike) == 1 else many} {first['stage']} after: {first['retry_reason']}"
    return Wait(f"{first['stage']} {first['retry_reason']}", with_time(text, min(moments, default=None)))


def _of_others(postponed: Sequence[Row], rows: Sequence[Row]) -> Wait | None:
    """Return what stored partitions wait for, whose metrics also follow from others.

    Of several weeks that is worth a word only while none moves: else the progress shows it.
    """
    week, stored = postponed[0]["week_ending"], [row["tier"] for row in postponed]
    are_stored, wait, they = ("is stored", "waits", "it") if len(stored) == 1 else ("are stored", "wait", "they")
    until = f"until another worker has computed weeks that {they} {'needs' if they == 'it' else 'need'}"
    if any(row["week_ending"] != week for row in rows):
        if any(row["state"] == "running" for row in rows):
            return None
        who = counted(len(stored), "partition")
        return Wait("others", f"Waiting: {who} {are_stored}, and {wait} for others of the same week, or {until}.")
    tiers = [row["tier"] for row in rows if row["state"] in ("queued", "running") and row["tier"] not in stored]
    until = f"for {', '.join(tiers)} of the same week" if tiers else until
    text = f"Waiting: {' and '.join(stored)} {week} {are_stored}, and {wait} {until}."
    return Wait(text, text)
