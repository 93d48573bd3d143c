"""Cache: from a fetched observation to a raw object."""

from otcpipe import resources
from otcpipe.broker.actors import stage
from otcpipe.pipeline import captures
from otcpipe.pipeline.ledger import Run
from otcpipe.records import StageResult
from otcpipe.storage import objects, observations


@stage
def cache_file(run: Run) -> StageResult:
    """Store the bytes under their SHA-256, where they are never deleted, and record the capture."""
    manifest, content, packed = observations.load_observation(resources.store(), run.key)
    raw = run.key.sibling("raw", manifest.digest)
    objects.put_raw(resources.store(), raw, packed)
    capture = captures.add(resources.database(), run.key, manifest, content)
    return StageResult(str(raw), capture, {"bytes": len(content)})
