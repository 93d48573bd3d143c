from otcpipe import metrics, services
from otcpipe.broker import stage
from otcpipe.ledger import Run
from otcpipe.records import Output


@stage
def compute_metrics(run: Run) -> Output:
    """The metrics of the week and of the weeks that it reaches."""
    week = run.key.partition.week_ending
    return Output(str(run.key), counts=metrics.compute(services.warehouse(), week, again=run.request is not None))
