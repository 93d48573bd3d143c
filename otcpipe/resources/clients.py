"""The clients whose libraries are slow to import: S3 and FINRA's API."""

from functools import cache

from otcpipe import resources
from otcpipe.finra import Finra
from otcpipe.finra.rate_limit import RateLimit
from otcpipe.storage.s3 import ObjectStore


@cache
def store() -> ObjectStore:
    """Return the object store; it connects on the first request."""
    return ObjectStore(resources.settings())


@cache
def finra() -> Finra:
    """Return the client of FINRA's API, with the rate limit that all workers share."""
    settings = resources.settings()
    return Finra(settings, RateLimit(settings["REDIS_URL"], int(settings["FINRA_RATE"])).wait_turn)
