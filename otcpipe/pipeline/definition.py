"""The pipeline: its stages in order, and how each is retried. The order is written nowhere else."""

from dataclasses import dataclass
from datetime import timedelta

from otcpipe import resources
from otcpipe.errors import Invalid
from otcpipe.stages import versions
from otcpipe.storage import keys

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Stage:
    """One stage. `name` is also its queue's name; `reads` is the kind of key that its messages carry.

    A stage with a `setting` runs only where that is set. A partition is done without it.
    """

    name: str
    actor: str
    reads: str
    code_version: int
    max_retries: int
    min_backoff: timedelta
    max_backoff: timedelta
    time_limit: timedelta
    setting: str = ""


PIPELINE = (
    Stage("fetch", "fetch_week", "partition", versions.FETCH, 8, 5 * SECOND, 10 * MINUTE, 30 * MINUTE),
    Stage("cache", "cache_file", "fetched", versions.CACHE, 8, 2 * SECOND, 5 * MINUTE, 10 * MINUTE),
    Stage("parse", "parse_file", "raw", versions.PARSE, 2, 2 * SECOND, MINUTE, 10 * MINUTE),
    Stage("normalize", "normalize_rows", "parsed", versions.NORMALIZE, 2, 2 * SECOND, MINUTE, 10 * MINUTE),
    Stage("persist", "persist_records", "normalized", versions.PERSIST, 10, 2 * SECOND, 5 * MINUTE, 30 * MINUTE),
    Stage("compute", "compute_metrics", "normalized", versions.COMPUTE, 10, 2 * SECOND, 5 * MINUTE, 30 * MINUTE),
    Stage(
        "publish", "publish_week", "normalized", versions.PUBLISH, 10, 2 * SECOND, 5 * MINUTE, 30 * MINUTE, "PUBLISH"
    ),
)


def named(name: str) -> Stage:
    """Return the stage with this name or actor name, in any case; raises Invalid if there is none."""
    for stage in PIPELINE:
        if name.casefold() in (stage.name, stage.actor):
            return stage
    raise Invalid(f"{name!r} is not a stage; choose from {', '.join(stage.name for stage in PIPELINE)}.")


def running() -> list[Stage]:
    """Return the stages that run with these settings, in order."""
    return [stage for stage in PIPELINE if not stage.setting or resources.settings()[stage.setting]]


def after(stage: Stage) -> Stage | None:
    """Return the stage that follows with these settings; None after the last."""
    at = PIPELINE.index(stage)
    return next((one for one in running() if PIPELINE.index(one) > at), None)


def required_after(name: str) -> list[Stage]:
    """Return the stages after the named one that every partition passes, in order."""
    return [stage for stage in PIPELINE[PIPELINE.index(named(name)) + 1 :] if not stage.setting]


def require_output(stage: Stage, key: keys.Key) -> None:
    """Raise Invalid for a stage's output that the next one, run or not with these settings, cannot read."""
    following = PIPELINE[PIPELINE.index(stage) + 1 :]
    if following and key.kind != following[0].reads:
        raise Invalid(
            f"{stage.name} returned {key}, but {following[0].name} reads keys of kind {following[0].reads!r}."
        )


def last() -> Stage:
    """Return the last stage that every partition passes: then it is done."""
    return [stage for stage in PIPELINE if not stage.setting][-1]


def reading(key: keys.Key, name: str | None = None) -> Stage:
    """Return the stage that runs on a key, as `of_kind` does; raises Invalid for a key that no stage reads."""
    if key.kind == "fetched" and key.extension != "json":
        raise Invalid(f"No stage runs on {key}; give the key of its manifest, which ends in .json.")
    return of_kind(key.kind, name)


def of_kind(kind: str, name: str | None = None) -> Stage:
    """Return the first stage that reads a kind of key, or the named one; raises Invalid if none does."""
    for stage in PIPELINE:
        if stage.reads == kind and name in (None, stage.name):
            return stage
    raise Invalid(f"{f'Stage {name!r} does not run' if name else 'No stage runs'} on keys of kind {kind!r}.")
