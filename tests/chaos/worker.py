"""`dramatiq tests.chaos.worker`: the pipeline with its waits shortened, so that a seed takes seconds."""

from dataclasses import replace

from otcpipe.broker import consumer
from otcpipe.broker.middleware import housekeeping
from otcpipe.pipeline import definition, execution, recovery
from otcpipe.stages import compute

SHORTER = 10
WAITS = (
    (execution, "OUTAGE_SECONDS"),
    (execution, "REBUILD_SECONDS"),
    (compute, "PENDING_SECONDS"),
    (compute, "BUSY_SECONDS"),
    (housekeeping, "OFTEN_SECONDS"),
    (housekeeping, "SELDOM_SECONDS"),
    (consumer, "SWEEP_SECONDS"),
    (recovery, "PATIENCE"),
)
for module, name in WAITS:
    setattr(module, name, getattr(module, name) / SHORTER)
pipeline = [
    replace(stage, min_backoff=stage.min_backoff / SHORTER, max_backoff=stage.max_backoff / SHORTER)
    for stage in definition.PIPELINE
]
vars(definition)["PIPELINE"] = tuple(pipeline)

import actors  # noqa: E402, F401 - declares the actors with the shorter waits
