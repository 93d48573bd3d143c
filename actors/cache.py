from otcpipe import captures, fetched, objects, services
from otcpipe.broker import stage
from otcpipe.ledger import Run
from otcpipe.records import Output


@stage
def cache_file(run: Run) -> Output:
    """Address the bytes by their content, keep them for ever, and note the capture."""
    manifest, content = fetched.collect(services.store(), run.key)
    raw = run.key.sibling("raw", manifest.digest)
    objects.put_raw(services.store(), raw, content)
    capture = captures.add(services.warehouse(), run.key, manifest, content)
    return Output(str(raw), capture, {"bytes": len(content)})
