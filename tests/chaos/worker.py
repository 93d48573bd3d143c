"""`dramatiq tests.chaos.worker`: the pipeline with its waits shortened, so that a seed takes seconds."""

from dataclasses import replace

from otcpipe.broker import middleware, redis_broker
from otcpipe.pipeline import definition, execution, recovery
from otcpipe.stages import compute

SHORTER = 10
WAITS = (
    (execution, "OUTAGE_SECONDS"),
    (execution, "REMAKE_SECONDS"),
    (compute, "COMING_SECONDS"),
    (compute, "BUSY_SECONDS"),
    (middleware, "ROUND_SECONDS"),
    (middleware, "SELDOM_SECONDS"),
    (redis_broker, "SWEEP_SECONDS"),
    (recovery, "PATIENCE"),
)
for module, name in WAITS:
    setattr(module, name, getattr(module, name) / SHORTER)
pipeline = [
    replace(stage, min_backoff=stage.min_backoff / SHORTER, max_backoff=stage.max_backoff / SHORTER)
    for stage in definition.PIPELINE
]
vars(definition)["PIPELINE"] = tuple(pipeline)

import actors  # noqa: E402, F401 - it declares the actors with the shorter waits
