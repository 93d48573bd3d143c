from otcpipe import grading, ledger, metrics, services
from otcpipe.broker import stage
from otcpipe.ledger import Run
from otcpipe.records import Output


@stage
def compute_metrics(run: Run) -> Output:
    """The metrics of the week and of the weeks that it reaches."""
    partition, warehouse = run.key.partition, services.warehouse()
    metrics.wait_for_others(warehouse, partition)
    counts = metrics.compute(warehouse, partition.week_ending)
    ledger.settle(warehouse, metrics.reach())
    grading.require(warehouse, partition)
    return Output(str(run.key), counts=counts)
