"""The outside things of this process, each made once and on first use: a worker forks before it connects."""

from functools import cache

from otcpipe import settings as _settings
from otcpipe.settings import Settings
from otcpipe.store import Store
from otcpipe.warehouse import Warehouse


@cache
def settings() -> Settings:
    return _settings.load()


@cache
def store() -> Store:
    return Store(settings())


@cache
def warehouse() -> Warehouse:
    return Warehouse(settings()["DATABASE_URL"])
