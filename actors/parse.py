from otcpipe import objects, parse, services
from otcpipe.broker import stage
from otcpipe.ledger import Run
from otcpipe.records import Output


@stage
def parse_file(run: Run) -> Output:
    """Bytes to rows of text."""
    parsed = run.key.derived("parsed", run.stage.name, parse.VERSION)
    store = services.store()
    made = store.make_once(str(parsed), lambda: objects.parquet_bytes(parse.rows(objects.raw(store, run.key))))
    return Output(str(parsed), counts={"objects made": int(made)})
