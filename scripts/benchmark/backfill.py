"""Time `otcpipe backfill` from the API, newest week first, as users run it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from benchmark import weeks, whole
from benchmark.measure import Cost, measured
from otcpipe import resources
from otcpipe.finra.rate_limit import COUNT

STOP_SECONDS = 60
COMMAND = [sys.executable, "-m", "otcpipe", "backfill"]


@contextmanager
def server(number: int, *, is_small: bool) -> Iterator[str]:
    """Run a server that has so many weeks from the first on; yield its URL."""
    command = [sys.executable, "-m", "benchmark.pages", "0", str(number - 1), *(["--small"] if is_small else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield (process.stdout.readline() if process.stdout else "").strip()
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def backfill(number: int, processes: whole.Processes) -> tuple[Cost, Cost]:
    """Return the cost of the weeks from the API to the last metric, and the seconds that FINRA's limit asks for.

    The memory is that of the largest worker. Raises CalledProcessError if a partition fails.
    """
    cost, first, last = Cost(), str(weeks.monday(0)), str(weeks.monday(number - 1))
    with redis.Redis.from_url(resources.settings()["REDIS_URL"]) as client:
        before = int(client.get(COUNT) or 0)
        with measured(cost):
            subprocess.run([*COMMAND, "--from", first, "--to", last, "--wait"], stdout=sys.stderr, check=True)
        requests = int(client.get(COUNT) or 0) - before
    cost.megabytes = whole.peak_of(processes)
    return cost, Cost(requests / int(resources.settings()["FINRA_RATE"]))
