"""The object store, whose library is slow to import."""

from functools import cache

from otcpipe import resources
from otcpipe.storage.s3 import ObjectStore


@cache
def store() -> ObjectStore:
    """Return the object store; it connects on the first request."""
    return ObjectStore(resources.settings())
