"""What the checks share: the settings, the servers they name, and how far the servers' clocks are off."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from otcpipe.broker.queues import Queues
from otcpipe.settings import Settings
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore

TIMEOUT_SECONDS = 3.0
Verdict = tuple[str, str, str]  # ok, warn or fail; what was found; what to do


@dataclass
class CheckContext:
    """Settings with their servers, each connected on first use; by server, its clock's difference to this one."""

    settings: Settings
    skews: dict[str, timedelta] = field(default_factory=dict)

    @cached_property
    def database(self) -> Database:
        """The database, with one connection."""
        return Database(self.settings["DATABASE_URL"], 1, TIMEOUT_SECONDS)

    @cached_property
    def queues(self) -> Queues:
        """The queues in Redis."""
        return Queues(self.settings["REDIS_URL"])

    @cached_property
    def store(self) -> ObjectStore:
        """The object store, without retries."""
        return ObjectStore(self.settings, retries=0)

    def note_clock(self, server: str, now: datetime) -> None:
        """Record a server's clock, for the check of the clocks."""
        self.skews[server] = now - datetime.now(UTC)
