from otcpipe import resources
from otcpipe.broker.actors import stage
from otcpipe.metrics import definitions
from otcpipe.pipeline import ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.quality import grading
from otcpipe.records import StageResult
from otcpipe.stages import compute


@stage
def compute_metrics(run: Run) -> StageResult:
    """The metrics of the week and of the weeks that it reaches."""
    partition, database = run.key.partition, resources.database()
    compute.wait_for_others(database, partition)
    counts = compute.compute(database, partition.week_ending)
    ledger.complete_waiting_computes(database, definitions.max_lookahead())
    grading.require(database, partition)
    return StageResult(str(run.key), counts=counts)
