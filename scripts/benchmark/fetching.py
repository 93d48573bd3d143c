"""Time the fetch stage, against a local server in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import repeat

from benchmark import weeks
from benchmark.measure import Cost, measured
from benchmark.stagewise import bodies
from otcpipe import resources
from otcpipe.pipeline import definition
from otcpipe.pipeline.execution import StageExecutor
from otcpipe.pipeline.ledger import Run
from otcpipe.stages.paging import PARALLEL_PAGES
from otcpipe.storage import keys

LIMIT = 5000
STOP_SECONDS = 60
RATE = "1000"  # above the feed's limit, which would hide everything else


@contextmanager
def finra(*, is_small: bool) -> Iterator[str]:
    """Run a server that has the first week; yield its URL."""
    size = [] if is_small else ["--full"]
    command = [sys.executable, "-m", "tests.finra_server", "--weeks", "1", "--from", str(weeks.FIRST), *size]
    process = subprocess.Popen([*command, "--folder", str(weeks.HERE)], stdout=subprocess.PIPE, text=True)
    try:
        yield (process.stdout.readline() if process.stdout else "").strip().removeprefix("OTCPIPE_FINRA_URL=")
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def fetch() -> tuple[Cost, Cost]:
    """Return the cost of the stage for three partitions, and of the same pages and concurrency without any check."""
    cost, floor, work = Cost(), Cost(), bodies()["fetch"]
    for partition in weeks.partitions(0):
        client = resources.finra()
        total = client.page(partition, 0, LIMIT).total  # this also makes the server generate it
        with measured(floor), ThreadPoolExecutor(PARALLEL_PAGES) as pool:
            offsets = range(0, total, LIMIT)
            list(pool.map(client.page, repeat(partition), offsets, repeat(LIMIT)))
        run = Run(definition.named("fetch"), keys.of_partition(resources.settings()["S3_PREFIX"], partition))
        with measured(cost):
            StageExecutor(resources.store(), resources.database(), lambda *_: None).execute(run, work)
    return cost, floor
