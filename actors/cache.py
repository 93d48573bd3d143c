from otcpipe import fetched, history, objects, parse, services
from otcpipe.broker import stage
from otcpipe.ledger import Run
from otcpipe.records import Output


@stage
def cache_file(run: Run) -> Output:
    """Address the bytes by their content, keep them for ever, and note the capture."""
    manifest, content = fetched.collect(services.store(), run.key)
    raw = run.key.sibling("raw", manifest.digest)
    objects.put_raw(services.store(), raw, content)
    capture = history.add_capture(services.warehouse(), run.key, raw, manifest, parse.added_columns(content))
    return Output(str(raw), capture, {"bytes": len(content)})
