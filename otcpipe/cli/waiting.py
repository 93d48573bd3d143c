"""Why partitions wait: no worker, the rate limit, or a retry."""

from collections.abc import Sequence

from otcpipe.broker.queues import Queues
from otcpipe.cli.attempts import at_time, next_attempt
from otcpipe.errors import Unreachable
from otcpipe.storage.postgres import Row
from otcpipe.text.printable import sentence

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
    retried = [row for row in rows if row["state"] == "queued" and row["reason"]]
    if retried:
        row = retried[0]
        why = f"{row['tier']} {row['week_ending']} retries {row['stage']} after: {sentence(row['reason'])}"
        return f"Waiting: {why}{at_time(next_attempt(attempts, row))}"
    if "fetch" in stages and seconds >= SHORTEST_SECONDS:
        return f"Waiting for the rate limit of FINRA's API: the next request is in {seconds:.0f} s."
    return None
