from otcpipe import normalize, objects, services
from otcpipe.broker import stage
from otcpipe.ledger import Run
from otcpipe.records import Output


@stage
def normalize_rows(run: Run) -> Output:
    """Rows of text to records, totals and rejects."""
    normalized = run.key.derived("normalized", run.stage.name, normalize.VERSION)
    made = objects.put_normalized(
        services.store(),
        normalized,
        lambda: normalize.rows(objects.parsed(services.store(), run.key), run.key.partition),
    )
    return Output(str(normalized), counts={"objects made": int(made)})
