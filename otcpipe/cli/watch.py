"""Watching partitions to their end."""

import time
from collections.abc import Sequence

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from otcpipe import ledger, services, stages
from otcpipe.cli.console import console, say
from otcpipe.errors import OtcpipeError
from otcpipe.records import Partition
from otcpipe.warehouse import Row

INTERVAL_SECONDS = 0.1
STEPS = [stage.name for stage in stages.PIPELINE]


def until_done(partitions: Sequence[Partition]) -> None:
    """Show each partition's way through the stages; raises the first failure, with its reason, at the end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[doing]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        tasks = {
            partition: progress.add_task(
                f"{partition.tier:<4} {partition.week_ending}", total=len(STEPS), doing="queued"
            )
            for partition in partitions
        }
        failures: dict[Partition, Row] = {}
        waiting = set(partitions)
        while waiting:
            for partition in list(waiting):
                row = _state(partition)
                is_over = row["state"] in ("done", "failed", "absent")
                done = len(STEPS) if row["state"] == "done" else STEPS.index(row["stage"])
                doing = {"absent": row["reason"]}.get(row["state"], row["state"]) if is_over else row["stage"]
                progress.update(tasks[partition], completed=done, doing=doing)
                if is_over:
                    waiting.discard(partition)
                    failures |= {partition: row} if row["state"] == "failed" else {}
            time.sleep(INTERVAL_SECONDS if waiting else 0)
    for partition, row in failures.items():
        say(f"{partition.tier} {partition.week_ending} failed at {row['stage']}: {row['reason']}")
    if failures:
        raise OtcpipeError(f"{len(failures)} of {len(partitions)} partitions failed.")


def _state(partition: Partition) -> Row:
    rows = ledger.partitions(services.warehouse(), partition.week_ending)
    return next(row for row in rows if row["tier"] == partition.tier)
