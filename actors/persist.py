"""Persist: from a normalized object to the tables."""

from otcpipe import resources
from otcpipe.broker.actors import stage
from otcpipe.pipeline.ledger import Run
from otcpipe.records import StageResult
from otcpipe.stages import persist
from otcpipe.storage import objects


@stage
def persist_records(run: Run) -> StageResult:
    """Open and close the records that the capture changes in PostgreSQL."""
    counts = persist.persist(
        resources.database(),
        run.generation,
        run.key,
        lambda key: objects.normalized(resources.store(), run.key.parse_other(key)),
        resources.settings().now(),
    )
    return StageResult(str(run.key), counts=counts)
