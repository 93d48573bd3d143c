from otcpipe import resources
from otcpipe.broker.actors import stage
from otcpipe.metrics import definitions
from otcpipe.pipeline import ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.quality import grading
from otcpipe.records import Output
from otcpipe.stages import compute


@stage
def compute_metrics(run: Run) -> Output:
    """The metrics of the week and of the weeks that it reaches."""
    partition, warehouse = run.key.partition, resources.warehouse()
    compute.wait_for_others(warehouse, partition)
    counts = compute.compute(warehouse, partition.week_ending)
    ledger.settle(warehouse, definitions.reach())
    grading.require(warehouse, partition)
    return Output(str(run.key), counts=counts)
