from otcpipe import resources
from otcpipe.broker.actors import stage
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Output
from otcpipe.stages import persist
from otcpipe.storage import objects


@stage
def persist_records(run: Run) -> Output:
    """What the capture changed, into Postgres."""
    counts = persist.persist(
        resources.warehouse(),
        run.generation,
        run.key,
        lambda key: objects.normalized(resources.store(), run.key.beside(key)),
        resources.settings().now(),
    )
    return Output(str(run.key), counts=counts)
