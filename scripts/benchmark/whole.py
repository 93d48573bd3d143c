"""Time whole weeks in real worker processes, from raw objects to metrics."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from benchmark.measure import Cost, peak
from otcpipe import resources
from otcpipe.broker import actors
from otcpipe.cli.up import LEAN, worker_commands
from otcpipe.pipeline import definition, planning
from otcpipe.pipeline.ledger import Run

Processes = list["subprocess.Popen[bytes]"]
STOP_SECONDS = 60
COMPUTED = b"""
    select count(*) as computed from otc.stage_run
    where week_ending = any(%s) and stage = 'compute' and state = 'done'
"""


@contextmanager
def workers(number: int, home: Path) -> Iterator[Processes]:
    """Run so many workers, and one that fetches, as `otcpipe up` does; yield their processes when all are ready."""
    started = []
    for name, command in worker_commands(number).items():
        with (home / f"{name}.log").open("wb") as log:
            every = [sys.executable, "-m", *command]
            started.append(subprocess.Popen(every, env={**os.environ, **LEAN}, stdout=log, stderr=log))
    try:
        _wait_for_heartbeats(len(started))
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(STOP_SECONDS)


def cost(cached: list[Run], processes: Processes) -> Cost:
    """Enqueue the parse stage of each run and wait for the last metric; memory is that of the largest process."""
    weeks = sorted({run.key.partition.week_ending for run in cached})
    started = time.perf_counter()
    for run in cached:
        planning.enqueue(resources.database(), Run(definition.named("parse"), run.key, run.generation), actors.send)
    while _computed(weeks) < len(cached):
        time.sleep(0.05)
    return Cost(time.perf_counter() - started, peak_of(processes))


def peak_of(processes: Processes) -> float:
    """Return the peak memory in MB of the largest worker."""
    return max(map(peak, _started_by(processes)))


def _started_by(processes: Processes) -> list[Path]:
    """Return the folders in /proc of the worker processes, which a dramatiq command starts."""
    folders = [Path("/proc", str(process.pid)) for process in processes]
    started = [(folder / "task" / folder.name / "children").read_text().split() for folder in folders]
    return [Path("/proc", child) for children in started for child in children]


def _computed(weeks: list[date]) -> int:
    with resources.database().transaction() as transaction:
        return int(transaction.connection.execute(COMPUTED, [weeks]).fetchall()[0]["computed"])


def _wait_for_heartbeats(number: int) -> None:
    client = actors.broker().client
    while client.zcard("otcpipe:__heartbeats__") < number:
        time.sleep(0.05)
    time.sleep(1)  # until its first housekeeping is over
