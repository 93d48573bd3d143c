"""Time what a person waits for: the start of a stage, and the help of the command line."""

import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime

from benchmark import stagewise, weeks
from benchmark.measure import Cost, measured
from otcpipe import resources
from otcpipe.broker import actors
from otcpipe.pipeline import planning

TIMES = 5
STARTED = b"select started_at from otc.stage_run where key = %s and started_at is not null"


def start() -> Cost:
    """Return the median time from sending a message to an idle worker until its stage begins."""
    seconds = []
    for partition in weeks.partitions(0) + weeks.partitions(1):
        run = stagewise.store_observation(partition, weeks.content(partition, is_small=True))
        time.sleep(0.5)  # until it is idle again
        sent = datetime.now(UTC)
        planning.enqueue(resources.database(), run, actors.send)
        seconds.append((_started(str(run.key)) - sent).total_seconds())
    return Cost(statistics.median(seconds))


def _started(key: str) -> datetime:
    while True:
        with resources.database().transaction() as transaction:
            rows = transaction.connection.execute(STARTED, [key]).fetchall()
        if rows:
            at: datetime = rows[0]["started_at"]
            return at
        time.sleep(0.01)


def helping() -> tuple[Cost, Cost]:
    """Return the median times of `otcpipe --help`, and of Python that does nothing."""
    return _median("-m", "otcpipe", "--help"), _median("-c", "pass")


def _median(*arguments: str) -> Cost:
    costs = []
    for _ in range(TIMES):
        cost = Cost()
        with measured(cost):
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        costs.append(cost.seconds)
    return Cost(statistics.median(costs))
