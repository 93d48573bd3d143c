"""Publish: from the histories of a week to the lake."""

from otcpipe import resources
from otcpipe.broker.actors import stage
from otcpipe.pipeline.ledger import Run
from otcpipe.records import StageResult
from otcpipe.stages import publish


@stage
def publish_week(run: Run) -> StageResult:
    """Write what the partition changed to the lake that OTCPIPE_PUBLISH names."""
    counts = publish.publish(resources.database(), resources.settings(), run.key.partition.week_ending)
    return StageResult(str(run.key), counts=counts)
