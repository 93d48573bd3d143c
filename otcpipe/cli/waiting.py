"""Why partitions wait: no worker, the rate limit, or a retry."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from otcpipe.broker.queues import Queues
from otcpipe.errors import Unreachable
from otcpipe.storage.postgres import Row
from otcpipe.text.printable import sentence

SHORTEST_SECONDS = 1  # of a wait for the rate limit that is worth a word


def next_attempt(attempts: Mapping[str, datetime], row: Row) -> datetime | None:
    """Return when the next attempt of a partition that waits for one begins; None if it does not wait."""
    if row["state"] != "queued":
        return None
    place = re.compile(rf"/{row['tier']}/{row['week_ending']}(/|$)")
    return min((at for key, at in attempts.items() if place.search(key)), default=None)


def at_time(moment: datetime | None) -> str:
    """Return " Next attempt at 14:03:20 UTC.", or nothing."""
    return f" Next attempt at {moment.astimezone(UTC):%H:%M:%S} UTC." if moment else ""


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
    retried = [row for row in rows if row["state"] == "queued" and row["reason"]]
    if retried:
        row = retried[0]
        why = f"{row['tier']} {row['week_ending']} retries {row['stage']} after: {sentence(row['reason'])}"
        return f"Waiting: {why}{at_time(next_attempt(attempts, row))}"
    if "fetch" in stages and seconds >= SHORTEST_SECONDS:
        return f"Waiting for the rate limit of FINRA's API: the next request is in {seconds:.0f} s."
    return None
