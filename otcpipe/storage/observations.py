"""An observation as it arrives: its bytes, and a manifest whose key enters the pipeline."""

from otcpipe.errors import Permanent
from otcpipe.records import Manifest, Partition
from otcpipe.storage import gz, objects
from otcpipe.storage.keys import Key, of_partition, sha256
from otcpipe.storage.s3 import ObjectStore


def store_observation(
    store: ObjectStore, prefix: str, partition: Partition, content: bytes, manifest: Manifest, name: str
) -> Key:
    """Store an observation and return its manifest's key; the same name again keeps the first manifest."""
    partition_key = of_partition(prefix, partition)
    store.put_once(str(partition_key.sibling("fetched", manifest.digest, "psv.gz")), gz.compress(content))
    key = partition_key.sibling("fetched", sha256(name.encode()), "json")
    store.put_once(str(key), objects.manifest_bytes(manifest))
    return key


def load_observation(store: ObjectStore, key: Key) -> tuple[Manifest, bytes, bytes]:
    """Return the manifest, the uncompressed bytes and the stored ones.

    Raises Permanent if the bytes and the manifest do not belong together.
    """
    manifest = objects.manifest(store.get(str(key)))
    packed = store.get(str(key.sibling("fetched", manifest.digest, "psv.gz")))
    content = gz.expand(packed)
    if sha256(content) != manifest.digest:
        raise Permanent(f"The bytes of {key} do not match the SHA-256 in its manifest.")
    return manifest, content, packed
