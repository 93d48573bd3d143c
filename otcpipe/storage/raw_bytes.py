"""The bytes of raw objects, proven by their keys. This module imports little: `explain` starts with it."""

from otcpipe.errors import Damaged, Invalid
from otcpipe.storage import gz
from otcpipe.storage.keys import Key, sha256
from otcpipe.storage.s3 import ObjectStore


def raw(store: ObjectStore, key: Key) -> bytes:
    """Return the uncompressed bytes of a raw key; raises Damaged if their SHA-256 is not the one in the key."""
    content = gz.expand(store.get(str(key)))
    if sha256(content) != key.digest:
        raise Damaged(str(key), "does not match the SHA-256 in its key")
    return content


def proven(store: ObjectStore, key: Key) -> bytes:
    """Return the uncompressed bytes of a raw key; raises Damaged if they cannot be expanded or do not match it."""
    try:
        return raw(store, key)
    except Invalid as error:
        raise Damaged(str(key), f"cannot be expanded: {error}".removesuffix(".")) from error
