"""Bounded reading: few queries at once, each limited in time, by the role that writes nothing."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.storage import postgres_errors, reader
from otcpipe.storage.postgres import Database
from otcpipe.web.problems import Busy, Missing

QUICK, SLOW = 6, 2  # queries at once
PATIENCE = 10.0  # seconds that a question waits for its turn
FRESH_SECONDS = 1.0
LIMITS = {
    "role": reader.ROLE,
    "default_transaction_read_only": "on",
    "statement_timeout": "15 s",
    "lock_timeout": "2 s",
    "idle_in_transaction_session_timeout": "30 s",
}
Result = TypeVar("Result")


class Version(NamedTuple):
    """The state of the stored data: an opaque text, and the moment of the newest observation as ISO text."""

    text: str
    moment: str | None


class Reading:
    """The database as its readers see it. Slow questions have their own lane, so that they do not stop quick ones."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.database = Database(url, QUICK + SLOW, limits=LIMITS)
        self._newest: tuple[float, Version | None] = (0.0, None)
        self._quick, self._slow = CapacityLimiter(QUICK), CapacityLimiter(SLOW)

    async def run(self, work: Callable[[], Result], *, is_slow: bool = False) -> Result:
        """Return the result of `work`, in a thread.

        Raises Busy if its turn does not come in time, Missing for what `work` calls invalid: the request was read
        before, so it is not stored.
        """
        lane = self._slow if is_slow else self._quick
        borrower = object()
        try:
            with anyio.fail_after(PATIENCE):
                await lane.acquire_on_behalf_of(borrower)
        except TimeoutError:
            raise Busy("Too many questions at once: ask again in a few seconds.") from None
        try:
            return await to_thread.run_sync(self._translated, work)
        finally:
            lane.release_on_behalf_of(borrower)

    def version(self) -> Version:
        """Return the state of the stored data, as it was at most a second ago."""
        read_at, known = self._newest
        if known is None or time.monotonic() - read_at > FRESH_SECONDS:
            now = time.monotonic()
            with self.database.transaction() as transaction:
                found = transaction.rows("data_version")[0]
            known = Version(found["version"], found["observed_at"] and found["observed_at"].isoformat())
            self._newest = (now, known)
        return known

    def check(self) -> None:
        """Raise OtcpipeError if the role that reads is missing, whose connections would only wait."""
        owner = Database(self._url, 1)
        with owner.transaction() as transaction:
            if not reader.exists(transaction):
                raise OtcpipeError(f"The database has no role {reader.ROLE}: run `otcpipe migrate --reader`.")
        owner.close()

    def close(self) -> None:
        """Close all connections."""
        with suppress(OtcpipeError):
            self.database.close()

    def _translated(self, work: Callable[[], Result]) -> Result:
        try:
            with postgres_errors.translated_for_readers(self._url):
                return work()
        except Invalid as error:
            raise Missing(str(error)) from error
