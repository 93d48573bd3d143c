"""Compute: from normalized records to metrics."""

from otcpipe import resources
from otcpipe.broker.actors import stage
from otcpipe.pipeline import ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.quality import grading
from otcpipe.records import StageResult
from otcpipe.stages import compute


@stage
def compute_metrics(run: Run) -> StageResult:
    """Compute the metrics of the week and of the later weeks that read it; raises OnHold if the partition is held."""
    partition, database = run.key.partition, resources.database()
    compute.require_no_pending(database, partition)
    counts = compute.compute(database, partition.week_ending)
    ledger.complete_waiting_computes(database)
    grading.require(database, partition)
    return StageResult(str(run.key), counts=counts)
