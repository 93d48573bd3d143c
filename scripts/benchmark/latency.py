"""Time what a person waits for: the start of a stage, and commands that only read."""

import statistics
import subprocess
import sys
import time
from datetime import UTC, date, datetime

from benchmark import stagewise, weeks
from benchmark.measure import Cost, measured
from otcpipe import resources
from otcpipe.broker import actors
from otcpipe.pipeline import planning

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


COMMANDS = (
    "--help",
    "show SYMBOL",
    "show SYMBOL --weeks 249",
    "top",
    "venues",
    "status",
    "explain SYMBOL --week WEEK",
)


def commands(symbol: str, week: date, times: int) -> dict[str, Cost]:
    """Return the median time of each command that reads, from its start to its end as a process."""
    names = {"SYMBOL": symbol, "WEEK": str(week)}
    return {
        line: _median(times, "-m", "otcpipe", *(names.get(word, word) for word in line.split())) for line in COMMANDS
    }


def nothing(times: int) -> Cost:
    """Return the median time of Python that does nothing."""
    return _median(times, "-c", "pass")


def _median(times: int, *arguments: str) -> Cost:
    costs = []
    for _ in range(times):
        cost = Cost()
        with measured(cost):
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        costs.append(cost.seconds)
    return Cost(statistics.median(costs))
