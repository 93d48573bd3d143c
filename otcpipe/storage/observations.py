"""An observation as it comes in: its bytes, and a manifest whose key goes through the pipeline."""

from otcpipe.errors import Permanent
from otcpipe.records import Manifest, Partition
from otcpipe.storage import gz, objects
from otcpipe.storage.keys import Key, of_partition, sha256
from otcpipe.storage.s3 import ObjectStore


def store_observation(
    store: ObjectStore, prefix: str, partition: Partition, content: bytes, manifest: Manifest, name: str
) -> Key:
    """Store an observation under a name; the same name again is the same observation, as first told."""
    place = of_partition(prefix, partition)
    store.put_once(str(place.sibling("fetched", manifest.digest, "psv.gz")), gz.compress(content))
    key = place.sibling("fetched", sha256(name.encode()), "json")
    store.put_once(str(key), objects.manifest_bytes(manifest))
    return key


def load_observation(store: ObjectStore, key: Key) -> tuple[Manifest, bytes]:
    """The manifest and the uncompressed bytes; raises Permanent when they do not belong together."""
    manifest = objects.manifest(store.get(str(key)))
    content = gz.expand(store.get(str(key.sibling("fetched", manifest.digest, "psv.gz"))))
    if sha256(content) != manifest.digest:
        raise Permanent(f"The bytes of {key} are not those that its manifest tells of.")
    return manifest, content
