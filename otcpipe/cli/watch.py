"""Watch partitions until they are done or failed."""

import time
from collections import Counter
from collections.abc import Sequence
from math import inf

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from otcpipe import resources
from otcpipe.broker.queues import Queues
from otcpipe.cli import waiting
from otcpipe.cli.console import console, say
from otcpipe.errors import OtcpipeError
from otcpipe.pipeline import definition, ledger
from otcpipe.records import Partition
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted
from otcpipe.text.printable import sentence

INTERVAL_SECONDS = 0.1
LOOK_SECONDS = 2  # between looks at why partitions wait
FORGET_SECONDS = 60  # after which a cause that is back is news
MILLION = 1_000_000
FEW = 12  # partitions with a bar of their own; more share one
STEPS = [stage.name for stage in definition.PIPELINE if not stage.setting]
ENDS = {"failed": "failed at", "held": "is held before"}
DOING = TextColumn("{task.fields[doing]}", markup=False)
OVER = ("done", "failed", "absent", "held")


def until_done(partitions: Sequence[Partition]) -> None:
    """Show progress through the stages. Prints which partitions failed and why, and raises OtcpipeError for them."""
    rows = _few(partitions) if len(partitions) <= FEW else _many(partitions)
    failures = [row for row in rows.values() if row["state"] in ENDS]
    for row in failures:
        say(f"{row['tier']} {row['week_ending']} {ENDS[row['state']]} {row['stage']}: {row['reason']}")
    for row in rows.values():
        if row["state"] == "done" and row["reason"] and len(rows) <= FEW:
            say(f"{row['tier']} {row['week_ending']} is done with grade {row['grade']}: {row['reason']}.")
    if rows:
        say(summary(list(rows.values())))
    if failures:
        raise OtcpipeError(f"{len(failures)} of {len(partitions)} partitions failed or are held.")


def summary(rows: Sequence[Row]) -> str:
    """Return a sum, such as "36 done, 7.9 M records, 12 not published yet, 0 failed."."""
    count = Counter(row["state"] for row in rows)
    records = sum(row["records"] or 0 for row in rows if row["state"] == "done")
    many = f"{records / MILLION:.1f} M records" if records >= MILLION else counted(records, "record")
    parts = [f"{count['done']:,} done", many, f"{count['absent']:,} not published yet", f"{count['failed']:,} failed"]
    held = [f"{count['held']:,} held by quality"] if count["held"] else []
    return f"{', '.join(parts + held)}."


class _Reasons:
    """Prints why partitions wait, each cause once: again only after a minute without it."""

    def __init__(self) -> None:
        self._queues = Queues(resources.settings()["REDIS_URL"])
        self._seen: dict[str, float] = {}  # causes, and when they were last the case
        self._looked_at = time.monotonic()

    def look(self, rows: Sequence[Row]) -> None:
        """Look every two seconds."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        found = waiting.reason(self._queues, rows)
        if found:
            if now - self._seen.get(found.cause, -inf) > FORGET_SECONDS:
                say(found.sentence)
            self._seen[found.cause] = now


def _few(partitions: Sequence[Partition]) -> dict[Partition, Row]:
    columns = (TextColumn("{task.description}"), BarColumn(), DOING, TimeElapsedColumn(), TextColumn("elapsed"))
    reasons = _Reasons()
    with Progress(*columns, console=console) as progress:
        tasks = {one: progress.add_task(_name(one), total=len(STEPS), doing="queued") for one in partitions}
        while True:
            rows = _rows(partitions)
            for partition, row in rows.items():
                _show(progress, tasks[partition], row)
            if all(row["state"] in OVER for row in rows.values()):
                return rows
            reasons.look(list(rows.values()))
            time.sleep(INTERVAL_SECONDS)


def _many(partitions: Sequence[Partition]) -> dict[Partition, Row]:
    columns = (BarColumn(), TextColumn("{task.completed:,} of {task.total:,} partitions"), DOING)
    times = (TimeElapsedColumn(), TextColumn("elapsed"), TimeRemainingColumn(), TextColumn("left"))
    reasons = _Reasons()
    with Progress(*columns, *times, console=console) as progress:
        task, started = progress.add_task("", total=len(partitions), doing=""), time.monotonic()
        while True:
            rows = _rows(partitions)
            over = [row for row in rows.values() if row["state"] in OVER]
            speed = sum(row["rows"] or 0 for row in over) / max(time.monotonic() - started, 1)
            progress.update(task, completed=len(over), doing=f"{speed:,.0f} rows/s")
            if len(over) == len(rows):
                return rows
            reasons.look(list(rows.values()))
            time.sleep(5 * INTERVAL_SECONDS)


def _show(progress: Progress, task: TaskID, row: Row) -> None:
    done = len(STEPS) if row["state"] == "done" else STEPS.index(row["stage"])
    doing = row["reason"] if row["state"] == "absent" else row["state"] if row["state"] in OVER else row["stage"]
    progress.update(task, completed=done, doing=sentence(doing))


def _rows(partitions: Sequence[Partition]) -> dict[Partition, Row]:
    weeks = {partition.week_ending for partition in partitions}
    rows = ledger.partitions(resources.database(), next(iter(weeks)) if len(weeks) == 1 else None)
    wanted = set(partitions)
    found = {Partition(row["week_ending"], row["tier"]): row for row in rows}
    return {partition: row for partition, row in found.items() if partition in wanted}


def _name(partition: Partition) -> str:
    return f"{partition.tier:<4} {partition.week_ending}"
