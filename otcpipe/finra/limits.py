"""The limit of a call's time and bytes: a context variable, as sockets inside libraries have no argument for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from threading import Event

from otcpipe.errors import Defective


class TimedOut(Defective):
    """The work ran out of time or was cancelled; an immediate retry is pointless."""


class TooLarge(Defective):
    """FINRA's answer is larger than any valid one; an immediate retry is pointless."""


@dataclass
class Limit:
    """A deadline of `time.monotonic()`, the bytes that may still be read, and whether the caller cancelled."""

    until: float = float("inf")
    bytes_left: float = float("inf")
    cancelled: Event = field(default_factory=Event)

    @property
    def seconds(self) -> float:
        """The seconds left; 0 if cancelled."""
        return 0.0 if self.cancelled.is_set() else max(0.0, self.until - time.monotonic())

    def spend(self, count: int) -> None:
        """Count bytes that were read; raises TooLarge beyond the limit."""
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise TooLarge("FINRA's answer is larger than any page.")

    def check(self) -> None:
        """Raise TimedOut if no time is left."""
        if not self.seconds:
            raise TimedOut("Reading from FINRA took longer than its time limit.")

    def pause(self, seconds: float) -> None:
        """Sleep; raises TimedOut as soon as the limit is cancelled or its time is over."""
        self.cancelled.wait(min(seconds, self.seconds))
        self.check()


LIMIT: ContextVar[Limit] = ContextVar("LIMIT", default=Limit())  # noqa: B039 - the default is never modified


@contextmanager
def limited(seconds: float, max_bytes: float) -> Iterator[Limit]:
    """Set a limit for the block; its deadline is at most that of the limit in force."""
    outer = LIMIT.get()
    inner = replace(outer, until=min(outer.until, time.monotonic() + seconds), bytes_left=max_bytes)
    token = LIMIT.set(inner)
    try:
        yield inner
    finally:
        LIMIT.reset(token)
