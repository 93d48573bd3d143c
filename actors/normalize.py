"""Normalize: from a parsed to a normalized object."""

from otcpipe import resources
from otcpipe.broker.actors import stage
from otcpipe.pipeline.ledger import Run
from otcpipe.records import StageResult
from otcpipe.stages import normalize, versions
from otcpipe.storage import objects


@stage
def normalize_rows(run: Run) -> StageResult:
    """Convert rows of text to typed records, totals and rejects."""
    normalized = run.key.derived("normalized", run.stage.name, versions.NORMALIZE)
    is_new = objects.put_normalized(
        resources.store(),
        normalized,
        lambda: normalize.rows(objects.parsed(resources.store(), run.key), run.key.partition),
    )
    return StageResult(str(normalized), counts={"objects made": int(is_new)})
