from otcpipe import resources
from otcpipe.broker.actors import stage
from otcpipe.pipeline.ledger import Run
from otcpipe.records import StageResult
from otcpipe.stages import parse
from otcpipe.storage import objects


@stage
def parse_file(run: Run) -> StageResult:
    """Bytes to rows of text."""
    parsed = run.key.derived("parsed", run.stage.name, parse.VERSION)
    store = resources.store()
    made = store.make_once(str(parsed), lambda: objects.parquet_bytes(parse.rows(objects.raw(store, run.key))))
    return StageResult(str(parsed), counts={"objects made": int(made)})
