"""Why partitions wait: no worker, the rate limit, a retry, or other partitions."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from otcpipe.broker.queues import Queues
from otcpipe.cli.attempts import next_attempt, with_time
from otcpipe.errors import Unreachable
from otcpipe.storage.postgres import Row

SHORTEST_SECONDS = 1  # of a wait for the rate limit that is worth a word


def reason(queues: Queues, rows: Sequence[Row]) -> str | None:
    """Return a sentence on why unfinished partitions wait; None if they do not, as far as can be seen."""
    stages = sorted({row["stage"] for row in rows if row["state"] == "queued"})
    try:
        found, seconds, attempts = queues.all(), queues.requests().wait_seconds, queues.next_attempts()
    except Unreachable as error:
        return f"Waiting: {error}"
    idle = [name for name in stages if not found[name].consumers]
    if idle:
        return f"Waiting: no worker consumes {', '.join(idle)}; start workers with `otcpipe up`."
    postponed = of_attempts(attempts, rows)
    if postponed:
        return postponed
    if "fetch" in stages and seconds >= SHORTEST_SECONDS:
        return f"Waiting for the rate limit of FINRA's API: the next request is in {seconds:.0f} s."
    return None


def of_attempts(attempts: Mapping[str, datetime], rows: Sequence[Row]) -> str | None:
    """Return why a partition is tried again later: its last attempt failed, or it needs others; None if none is."""
    retried = [row for row in rows if row["state"] == "queued" and row["retry_reason"]]
    if retried:
        row = retried[0]
        why = f"Waiting: {row['tier']} {row['week_ending']} retries {row['stage']} after: {row['retry_reason']}"
        return with_time(why, next_attempt(attempts, row))
    postponed = [row for row in rows if row["stage"] == "compute" and next_attempt(attempts, row)]
    return _of_others(postponed[0], rows) if postponed else None


def _of_others(row: Row, rows: Sequence[Row]) -> str:
    """Return what a partition waits for, whose metrics also follow from others."""
    week = row["week_ending"]
    tiers = [one["tier"] for one in rows if one["week_ending"] == week and one["state"] in ("queued", "running")]
    others = ", ".join(tier for tier in tiers if tier != row["tier"])
    until = f"for {others} of the same week" if others else "until another worker has computed weeks that it needs"
    return f"Waiting: {row['tier']} {week} is stored, and waits {until}."
