"""The outside things of this process, each made once and on first use: a worker forks before it connects."""

from datetime import timedelta
from functools import cache

from otcpipe import settings as _settings
from otcpipe.finra import Finra
from otcpipe.finra.rate_limit import Rate
from otcpipe.settings import Settings
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore


@cache
def settings() -> Settings:
    return _settings.load()


@cache
def store() -> ObjectStore:
    return ObjectStore(settings())


@cache
def finra() -> Finra:
    rate = Rate(settings()["REDIS_URL"], int(settings()["FINRA_RATE"]))
    return Finra(settings(), rate.wait_turn)


@cache
def database() -> Database:
    return Database(settings()["DATABASE_URL"])


def lease() -> timedelta:
    """How long a silent worker keeps what it has."""
    return timedelta(seconds=int(settings()["LEASE"]))
