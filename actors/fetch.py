"""Fetch: from FINRA's API to a stored observation."""

from otcpipe import resources
from otcpipe.broker.actors import stage
from otcpipe.pipeline import captures
from otcpipe.pipeline.ledger import Run
from otcpipe.records import StageResult
from otcpipe.stages import fetch


@stage
def fetch_week(run: Run) -> StageResult:
    """Fetch one partition of FINRA's API, proven complete, and store the observation."""
    partition, settings = run.key.partition, resources.settings()
    is_captured = captures.is_captured(resources.database(), partition)
    finra = fetch.TimestampedFinra(resources.finra(), settings.now)
    found = fetch.fetch_partition(finra, partition, settings.now(), is_captured=is_captured)
    return fetch.store_result(resources.store(), run.key.prefix, partition, found, finra.requested_at)
