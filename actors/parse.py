"""Parse: from a raw to a parsed object."""

from otcpipe import resources
from otcpipe.broker.actors import stage
from otcpipe.pipeline.ledger import Run
from otcpipe.records import StageResult
from otcpipe.stages import parse, versions
from otcpipe.storage import objects, raw_bytes


@stage
def parse_file(run: Run) -> StageResult:
    """Split the bytes into rows of text with their line numbers."""
    parsed = run.key.derived("parsed", run.stage.name, versions.PARSE)
    store = resources.store()
    is_new = store.make_once(str(parsed), lambda: objects.parquet_bytes(parse.rows(raw_bytes.raw(store, run.key))))
    return StageResult(str(parsed), counts={"objects made": int(is_new)})
