"""What operators may do at any time, repeatedly: run stages again, refresh, dump, restore, repair."""

import contextlib
import io
from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random

import psycopg

from otcpipe import resources
from otcpipe.broker import actors, messages
from otcpipe.cli import accept as accepting
from otcpipe.cli import captures
from otcpipe.cli import fetch as fetching
from otcpipe.cli import reprocess as running
from otcpipe.errors import OtcpipeError
from otcpipe.pipeline import dead_letters, definition, lost_runs, planning
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Manifest, Partition
from otcpipe.storage import keys, observations
from otcpipe.storage.postgres import Row
from tests.chaos import databases, scenario
from tests.chaos.moments import Fate, Point, strike
from tests.chaos.world import World, run_query

RESTORE = "restore a dump"
OPEN = """
    select stage, key, state, reason from otc.stage_run where state not in ('done', 'held')
    union all
    select 'metric', metric, 'due', week_ending::text
    from otc_internal.metric_due as d
    where not exists (
        select from otc.held_partition as h where d.week_ending between h.week_ending and h.week_ending + 35
    )
"""


class Operator:
    """Requests what a phase of the scenario needs while the servers are up."""

    def fetch(self, partitions: Sequence[Partition]) -> None:
        fetching.enqueue_partitions(partitions)

    def observe(self, partition: Partition, content: bytes, observed_at: datetime, *, is_file: bool) -> None:
        source, covers = ("file", "ats") if is_file else ("api", "all")
        manifest = Manifest(source, covers, keys.sha256(content), observed_at)
        name = f"{source} {manifest.digest} {observed_at.isoformat()}"
        prefix = resources.settings()["S3_PREFIX"]
        key = observations.store_observation(resources.store(), prefix, partition, content, manifest, name)
        planning.enqueue(resources.database(), Run(definition.named("cache"), key), actors.send)

    def accept(self, partition: Partition) -> None:
        with quiet():
            accepting.accept(str(partition.week_ending), partition.tier, "checked")

    def withdraw(self, partition: Partition, observed_at: datetime, *, undo: bool = False) -> None:
        """Withdraw the file that was imported as of a moment, or undo that."""
        ((key,),) = run_query(
            f"""
            select fetched_key from otc.capture
            where week_ending = '{partition.week_ending}' and tier = '{partition.tier}' and source = 'file'
                and observed_at = '{observed_at}'
            """
        )
        with quiet():
            captures.withdraw(str(key), "a wrong file", undo=undo, is_dry=False, wait=False)


def quiet() -> contextlib.AbstractContextManager[object]:
    """Discard what commands print."""
    return contextlib.redirect_stdout(io.StringIO())


def attempt(work: Callable[[], object]) -> None:
    """Do it, or fail as an operator's command may: a server is down, or the object no longer exists."""
    with contextlib.suppress(OtcpipeError, psycopg.Error):
        work()


def refresh(rng: Random) -> tuple[str, Callable[[World], None]]:
    partition = rng.choice(scenario.EVERYTHING)
    return "refresh", lambda world: attempt(lambda: Operator().fetch([partition]))


def reprocess(rng: Random) -> tuple[str, Callable[[World], None]]:
    """Run any stage on any key in the ledger again, alone or with the stages after it, once or twice."""
    stage, at, only, times = (
        rng.choice(definition.PIPELINE).name,
        rng.random(),
        rng.random() < 0.4,
        rng.choice((1, 2)),
    )

    def deed(world: World) -> None:
        for _ in range(times):
            attempt(lambda: _reprocess(stage, at, only=only))

    return f"reprocess {stage}", deed


def _reprocess(stage: str, at: float, *, only: bool) -> None:
    found = run_query(f"select distinct key from otc.stage_run where stage = '{stage}' order by key")
    if found:
        with quiet():
            running.reprocess(str(found[int(at * len(found))][0]), stage, only=only, is_dry=False)


def strike_persist(rng: Random) -> tuple[str, Callable[[World], None]]:
    """Request persist again, and disturb its worker at one of two points."""
    partition, point, fate = rng.choice(scenario.EVERYTHING), rng.choice([*Point]), rng.choice([*Fate])

    def deed(world: World) -> None:
        strike(world, partition, point, fate, lambda: attempt(lambda: persist_again(partition)))

    return f"{fate} {point}", deed


def persist_again(partition: Partition) -> None:
    """Request persist of the partition's newest capture again."""
    newest = run_query(
        f"""
        select normalized_key from otc.capture
        where week_ending = '{partition.week_ending}' and tier = '{partition.tier}' and normalized_key is not null
        order by observed_at desc limit 1
        """
    )
    if newest:
        with quiet():
            running.reprocess(str(newest[0][0]), "persist", only=False, is_dry=False)


def dump(_: Random) -> tuple[str, Callable[[World], None]]:
    return "keep a dump", databases.keep_dump


def restore(rng: Random) -> tuple[str, Callable[[World], None]]:
    """Restore any earlier dump, with Redis and S3 as they are."""
    at = rng.random()

    def deed(world: World) -> None:
        if world.dumps:
            databases.restore(world, world.dumps[int(at * len(world.dumps))])

    return RESTORE, deed


def lose_postgres(_: Random) -> tuple[str, Callable[[World], None]]:
    return "lose Postgres", lambda world: databases.restore(world, databases.EMPTY)


def send_again(_: Random) -> tuple[str, Callable[[World], None]]:
    """Send a second message for a run in the ledger."""
    return "send everything again", lambda world: attempt(_send_again)


def _send_again() -> None:
    with resources.database().transaction() as transaction:
        rows = transaction.connection.execute("select * from otc.stage_run").fetchall()
    for row in rows:
        run = lost_runs.run_of(row, resources.settings()["S3_PREFIX"])
        if run:
            actors.send(run)


def unsettled() -> list[object]:
    """Return what is not done: runs, metrics and messages. A held run waits for a person and is left out."""
    try:
        return [*run_query(OPEN), *sorted(actors.message_ids())]
    except (OtcpipeError, psycopg.Error) as error:
        return [error]


def repair() -> list[str]:
    """Send lost runs and replay dead letters; return what was done."""
    try:
        done = [f"reconciled {finding.run.stage.name}: {finding.why}" for finding in actors.send_lost_runs()]
        return done + [_replay(letter) for letter in dead_letters.find(resources.database(), every=False)]
    except OtcpipeError as error:
        return [f"waited: {error}"]


def _replay(letter: Row) -> str:
    run = dead_letters.replay(resources.database(), letter, messages.read)
    if run:
        actors.send(run)
    return f"replayed {letter['error_class']}: {letter['reason']}"
