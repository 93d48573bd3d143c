"""Time each stage alone, in this process, with ledger, objects and tables as in a worker."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path

from benchmark import floors, weeks
from benchmark.measure import Cost, measured
from otcpipe import resources
from otcpipe.metrics import completion, definitions
from otcpipe.pipeline import definition, ledger
from otcpipe.pipeline.execution import StageExecutor
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Manifest, Partition, StageResult
from otcpipe.stages import apply, normalize
from otcpipe.storage import objects, observations
from otcpipe.weeks import published_on

Costs = dict[str, Cost]
SPLITS = "symbol_split"
OBSERVED = datetime(2025, 1, 6, 12, tzinfo=UTC)


def store_observation(partition: Partition, content: bytes, day: int = 0) -> Run:
    """Store content as the fetch stage does; return the run of the cache stage."""
    at = OBSERVED + timedelta(days=day)
    manifest = Manifest("api", "all", weeks.digest(content), at, weeks.rows(content), 1)
    prefix = resources.settings()["S3_PREFIX"]
    key = observations.store_observation(
        resources.store(), prefix, partition, content, manifest, f"{manifest.digest} {at}"
    )
    run = Run(definition.named("cache"), key)
    ledger.request(resources.database(), run)
    return run


def stored(number: int, *, is_small: bool, changed: int = 0, day: int = 0) -> list[Run]:
    """Store the contents of a week, and return the runs of the cache stage.

    The contents are freed, so that they do not count as memory of the stages.
    """
    contents = weeks.contents(number, is_small=is_small, changed=changed)
    return [store_observation(one, content, day) for one, content in contents.items()]


def warm() -> None:
    """Do what happens once in a process or server: import libraries, allocate space in S3 for the first object."""
    published_on(weeks.FIRST, "T1")
    resources.store().put_once(f"{resources.settings()['S3_PREFIX']}/warm", b"warm")


def bodies() -> dict[str, Callable[[Run], StageResult]]:
    actors = import_module("actors")  # importing it needs a broker's URL
    return {stage.name: getattr(actors, stage.actor).fn.__wrapped__ for stage in definition.PIPELINE}


def execute(runs: list[Run], costs: Costs) -> list[Run]:
    """Execute runs and all that follow, stage by stage; return them in order."""
    waiting, carried, work = deque(runs), list[Run](), bodies()
    while waiting:
        run = waiting.popleft()
        carried.append(run)
        carrier = StageExecutor(resources.store(), resources.database(), lambda run, _: waiting.append(run))
        with measured(costs.setdefault(run.stage.name, Cost())):
            carrier.execute(run, work[run.stage.name])
    return carried


def publishing(run: Run) -> Run:
    """Return the run of the publish stage, which is off without a lake, on the key of a run of compute."""
    return replace(run, stage=definition.named("publish"))


def floor(carried: list[Run], contents: dict[Partition, bytes], folder: Path, lake: Path) -> Costs:
    """Return the floor of each stage, for the bytes and rows of these runs."""
    costs: Costs = {stage.name: Cost() for stage in definition.PIPELINE[1:]}
    for run in carried:
        content = contents[run.key.partition]
        if run.stage.name == "cache":
            floors.cache(content, folder, costs["cache"])
            floors.parse(content, costs["parse"])
        if run.stage.name == "normalize":
            parsed = objects.parsed(resources.store(), run.key)
            floors.normalize(normalize.rows(parsed, run.key.partition), costs["normalize"])
        if run.stage.name == "persist":
            rows = objects.normalized(resources.store(), run.key)
            with resources.database().transaction() as transaction:
                capture = transaction.rows("capture", capture_id=run.generation)[0]
                incoming = apply.to_columns(apply.load_names(transaction), capture, rows.records)
            floors.persist(incoming, costs["persist"])
    floors.compute(carried[0].key.partition.week_ending, costs["compute"])
    floors.publish(lake, costs["publish"])
    return costs


MEANING = {
    "cache": "the compressed bytes written to a file",
    "parse": "the bytes expanded and hashed",
    "normalize": "the typed rows written as Parquet",
    "persist": "bare COPY with the same indexes",
    "compute": "one GROUP BY of the week's records",
    "publish": "the rows of all histories written as Parquet",
}


def signals(week: date) -> Costs:
    """Return the cost of splits, which compute includes, and of each deferred metric, which it does not."""
    costs: Costs = {SPLITS: Cost()}
    with measured(costs[SPLITS]), resources.database().transaction() as transaction:
        transaction.rows("plan_for_a_week")
        lookback = definitions.named(SPLITS).lookahead_weeks
        transaction.rows("store_metric", metric=SPLITS, week=week, lookback=lookback)
    for name in (metric.name for metric in definitions.metrics() if metric.is_deferred):
        with measured(costs.setdefault(name, Cost())):
            completion.complete(resources.database(), [name], week, week)
    return costs


ROOM = b"""
    select sum(pg_total_relation_size(inhrelid)) / (select count(*) from otc_internal.volume_record) as room
    from pg_inherits where inhparent = 'otc_internal.volume_record'::regclass
"""


def room() -> float:
    """Return the bytes on disk that a record takes, with its indexes."""
    with resources.database().transaction() as transaction:
        return float(transaction.connection.execute(ROOM).fetchall()[0]["room"])


def cached(runs: list[Run]) -> list[Run]:
    """Execute the cache stage only; return the runs of the parse stage that would follow."""
    following, work = list[Run](), bodies()
    for run in runs:
        StageExecutor(resources.store(), resources.database(), lambda run, _: following.append(run)).execute(
            run, work["cache"]
        )
    return following
