"""`dramatiq tests.chaos.worker`: the pipeline with its waits shortened, so that a seed takes seconds."""

from dataclasses import replace

from otcpipe import failclosed, handoff, metrics, middleware, reconcile, stages

SHORTER = 10
WAITS = (
    (handoff, "OUTAGE_SECONDS"),
    (handoff, "REMAKE_SECONDS"),
    (metrics, "COMING_SECONDS"),
    (metrics, "BUSY_SECONDS"),
    (middleware, "ROUND_SECONDS"),
    (middleware, "SELDOM_SECONDS"),
    (failclosed, "SWEEP_SECONDS"),
    (reconcile, "PATIENCE"),
)
for module, name in WAITS:
    setattr(module, name, getattr(module, name) / SHORTER)
pipeline = [
    replace(stage, min_backoff=stage.min_backoff / SHORTER, max_backoff=stage.max_backoff / SHORTER)
    for stage in stages.PIPELINE
]
vars(stages)["PIPELINE"] = tuple(pipeline)

import actors  # noqa: E402, F401 - it declares the actors with the shorter waits
