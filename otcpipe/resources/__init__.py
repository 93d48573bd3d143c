"""The process's settings and connections, each created on first use: workers fork before they connect."""

import atexit
from datetime import timedelta
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from otcpipe import settings as _settings
from otcpipe.settings import Settings
from otcpipe.storage.postgres import Database

if TYPE_CHECKING:
    from otcpipe.resources.api_client import finra
    from otcpipe.resources.object_store import store

__all__ = ["database", "finra", "lease", "settings", "store"]
SLOW = {"store": "object_store", "finra": "api_client"}


@cache
def settings() -> Settings:
    """Return the settings; raises Invalid if one is wrong."""
    return _settings.load()


@cache
def database() -> Database:
    """Return the database; it connects in the first transaction."""
    return Database(settings()["DATABASE_URL"])


@atexit.register
def close() -> None:
    """Close the database's connections: a process that ends while a thread of their pool uses one may crash."""
    if database.cache_info().currsize:
        database().close()


def lease() -> timedelta:
    """Return how long a claimed run stays with a worker that does not renew its lease."""
    return timedelta(seconds=int(settings()["LEASE"]))


def __getattr__(name: str) -> Any:
    """Import the clients of S3 and of FINRA on first use: it takes longer than most commands take to run."""
    if name in SLOW:
        return getattr(import_module(f"otcpipe.resources.{SLOW[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
