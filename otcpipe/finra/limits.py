"""How long a call may last and how much it may read; whoever waits or reads on its behalf asks here.

The limit in force is a context variable, as sockets and pauses deep inside libraries have no argument for it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from threading import Event

from otcpipe.errors import Defective


class GivenUp(Defective):
    """The whole work ran out of time or was cancelled: asking again at once is pointless."""


class TooLarge(Defective):
    """FINRA's answer is larger than any honest one: asking again at once is pointless."""


@dataclass
class Limit:
    """A moment of `time.monotonic()`, a number of bytes, and whether the caller has gone."""

    until: float = float("inf")
    room: float = float("inf")  # bytes that may still come
    cancelled: Event = field(default_factory=Event)

    @property
    def seconds(self) -> float:
        """The time that is left; none when cancelled."""
        return 0.0 if self.cancelled.is_set() else max(0.0, self.until - time.monotonic())

    def spend(self, count: int) -> None:
        """Note that so many bytes came; raises TooLarge beyond the limit."""
        self.room -= count
        if self.room < 0:
            raise TooLarge("FINRA's answer is larger than any page.")

    def check(self) -> None:
        """Raises GivenUp when no time is left."""
        if not self.seconds:
            raise GivenUp("The partition was not read in the time that it may take.")

    def pause(self, seconds: float) -> None:
        """Sleep; raises GivenUp, early, when cancelled or when no time will be left."""
        self.cancelled.wait(min(seconds, self.seconds))
        self.check()


LIMIT: ContextVar[Limit] = ContextVar("LIMIT", default=Limit())  # noqa: B039 - without a limit, it never changes


@contextmanager
def limited(seconds: float, room: float) -> Iterator[Limit]:
    """Within the block, a limit no longer than the one in force."""
    outer = LIMIT.get()
    inner = replace(outer, until=min(outer.until, time.monotonic() + seconds), room=room)
    token = LIMIT.set(inner)
    try:
        yield inner
    finally:
        LIMIT.reset(token)
