from otcpipe import history, objects, services
from otcpipe.broker import stage
from otcpipe.ledger import Run
from otcpipe.records import Output


@stage
def persist_records(run: Run) -> Output:
    """What the capture changed, into Postgres."""
    counts = history.persist(
        services.warehouse(),
        run.generation,
        run.key,
        lambda key: objects.normalized(services.store(), run.key.beside(key)),
        services.settings().now(),
    )
    return Output(str(run.key), counts=counts)
