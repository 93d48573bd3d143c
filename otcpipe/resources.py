"""The process's settings and connections, each created on first use: workers fork before they connect."""

from datetime import timedelta
from functools import cache

from otcpipe import settings as _settings
from otcpipe.finra import Finra
from otcpipe.finra.rate_limit import RateLimit
from otcpipe.settings import Settings
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore


@cache
def settings() -> Settings:
    """Return the settings; raises Invalid if one is wrong."""
    return _settings.load()


@cache
def store() -> ObjectStore:
    """Return the object store; it connects on the first request."""
    return ObjectStore(settings())


@cache
def finra() -> Finra:
    """Return the client of FINRA's API, with the rate limit that all workers share."""
    rate = RateLimit(settings()["REDIS_URL"], int(settings()["FINRA_RATE"]))
    return Finra(settings(), rate.wait_turn)


@cache
def database() -> Database:
    """Return the database; it connects in the first transaction."""
    return Database(settings()["DATABASE_URL"])


def lease() -> timedelta:
    """Return how long a claimed run stays with a worker that does not renew its lease."""
    return timedelta(seconds=int(settings()["LEASE"]))
