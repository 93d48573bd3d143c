"""A run of the whole scenario, disturbed or not, and its final tables."""

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from otcpipe import resources
from otcpipe.audit import verify as verify_
from otcpipe.errors import Unreachable
from otcpipe.pipeline import dead_letters as letters
from otcpipe.stack import Supervisor
from otcpipe.storage.postgres import Row
from tests.chaos import databases, operations, publishing, scenario, tables
from tests.chaos.disturb import Plan, disturb
from tests.chaos.tables import Tables
from tests.chaos.world import World, run_query, running

STORY, FAILURE = "story.json", "failed.txt"
SETTLED_SECONDS = 40  # since something was last settled
MAX_SETTLED_SECONDS = 120  # in all: a machine that is busy otherwise is slow, work that repeats itself never ends
ROUND_SECONDS = 0.2
HISTORY = """
    select week_ending, tier, capture_id, source, observed_at, persisted_at, digest, normalized_key
    from otc.capture
    order by week_ending, tier, observed_at
"""
LEDGER = "select to_jsonb(r) from otc.stage_run as r order by week_ending, tier, queued_at"
ACTIVITY = "select pid, state, wait_event, now() - xact_start, left(query, 99) from pg_stat_activity"


@dataclass
class Story:
    """The result of a run: what was done, the tables, and what is wrong with them."""

    log: list[str] = field(default_factory=list)
    deeds: list[str] = field(default_factory=list)
    tables: Tables = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    letters: list[Row] = field(default_factory=list)
    seconds: float = 0.0

    def write(self, folder: Path) -> None:
        """The file of what the run did and saw, next to the logs of its workers."""
        (folder / "story.txt").write_text("\n".join([*self.log, *self.findings]) + "\n")
        (folder / STORY).write_text(json.dumps({"seconds": self.seconds, "deeds": self.deeds}))


def run(victims: Supervisor, folder: Path, plans: Sequence[Plan] | None, workers: int = 2, threads: int = 2) -> Story:
    """Run the scenario's phases; each is disturbed by its plan, healed and completed."""
    dataset, began, started = scenario.dataset(), list[datetime](), time.monotonic()
    story, operator = Story(), operations.Operator()
    with running(victims, dataset, folder, workers, threads) as world:
        try:
            for number, phase in enumerate(scenario.PHASES):
                story.log.append(f"phase {number} at {datetime.now(UTC):%H:%M:%S.%f}")
                began.append(_pause())
                phase.happen(dataset)
                operator.fetch(phase.fetched)
                phase.ask(operator, dataset, began)
                restored = world.restored
                if plans:
                    disturb(world, plans[number], story.log)
                world.heal()
                assert world.wait(SETTLED_SECONDS, lambda: is_lake_read(story)), "S3 answers no reader"
                if world.restored > restored:
                    operator.fetch(phase.fetched)  # the request may be lost with the database
                settle(world, story.log)
                if plans and any(kind == operations.RESTORE for plan in plans[number + 1 :] for _, (kind, _) in plan):
                    databases.keep_dump(world)
            story.tables = tables.read(run_query, {f"in phase {number}": at for number, at in enumerate(began)})
            assert world.wait(SETTLED_SECONDS, lambda: verified(story)), story.log[-1]
            story.log.append(publishing.publish_rest())
            settle(world, story.log)
            story.findings += publishing.differences()
            story.letters = letters.find(resources.database())
        finally:
            world.heal()
            story.deeds = world.deeds
            story.seconds = time.monotonic() - started
            story.log += ["", *map(str, run_query(HISTORY)), "", *map(str, run_query(LEDGER))]
            databases.drop_dumps(world)
            story.write(folder)
    return story


def settle(world: World, log: list[str]) -> None:
    """Wait until everything is done; like an operator, reconcile now and then and replay dead letters."""
    started = changed = time.monotonic()
    before: list[object] = []
    while unsettled := operations.unsettled():
        now = time.monotonic()
        changed, before = (changed if unsettled == before else now), unsettled
        if now - changed > SETTLED_SECONDS or now - started > MAX_SETTLED_SECONDS:
            log += map(str, ["not settled:", *unsettled, *run_query(ACTIVITY)])
            raise AssertionError("\n".join(map(str, ["This is never done:", *unsettled])))
        log += operations.repair()
        world.wait(ROUND_SECONDS)
    log.append(f"settled after {time.monotonic() - started:.1f} s")


def is_lake_read(story: Story) -> bool:
    """Record what a reader of the lake cannot read; return False while S3 does not answer, as after it was killed."""
    try:
        story.findings += publishing.faults()
    except Unreachable:
        return False
    return True


def verified(story: Story) -> bool:
    """Record what `otcpipe verify --all` finds; return False while a server cannot return everything yet."""
    try:
        verdicts = verify_.verify(resources.database(), resources.store(), resources.settings()["S3_PREFIX"], None)
        story.findings += [finding for verdict in verdicts for finding in verdict.findings]
    except Unreachable as outage:
        story.log.append(str(outage))
        return False
    return True


def folder_of(name: str, otherwise: Path) -> Path:
    """Return the folder for a run's files: below CHAOS_FOLDER if that is set."""
    folder = Path(os.environ["CHAOS_FOLDER"]) / name if "CHAOS_FOLDER" in os.environ else otherwise / name
    folder.mkdir(parents=True)
    return folder


@contextmanager
def kept_if_failed(folder: Path) -> Iterator[None]:
    """Keep all files and the error after a failure; after a success only the story."""
    try:
        yield
    except BaseException as error:
        (folder / FAILURE).write_text(f"{type(error).__name__}: {error}\n")
        raise
    for path in folder.iterdir():
        if path.name != STORY:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _pause() -> datetime:
    """Return a moment clearly between what happened before and what follows."""
    time.sleep(0.01)
    now = datetime.now(UTC)
    time.sleep(0.01)
    return now
