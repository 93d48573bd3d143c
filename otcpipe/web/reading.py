"""Bounded reading: few queries at once, each limited in time, by the role that writes nothing."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from otcpipe import resources, weeks
from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.storage import postgres_errors, reader
from otcpipe.storage.postgres import Database
from otcpipe.web.problems import Busy, Missing

QUICK, SLOW = 6, 2  # queries at once
PATIENCE = 10.0  # seconds that a question waits for its turn
FRESH_SECONDS = 5.0  # while a week is loaded, each of its steps would make all kept answers void
EARLIER_SECONDS = 300.0  # after which no answer is of an earlier state of the data
LIMITS = {
    "role": reader.ROLE,
    "default_transaction_read_only": "on",
    "statement_timeout": "15 s",
    "lock_timeout": "2 s",
    "idle_in_transaction_session_timeout": "30 s",
}
Result = TypeVar("Result")


class Version(NamedTuple):
    """The state of the stored data: opaque texts, and the moment of the newest observation as ISO text."""

    text: str  # changes when a number may change
    work: str  # changes with each step of the pipeline's work
    moment: str | None


class Reading:
    """The database as its readers see it. Slow questions have their own lane, so that they do not stop quick ones."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.database = Database(url, QUICK + SLOW + 1, limits=LIMITS)
        self._lock = threading.Lock()
        self._newest: tuple[float, Version] | None = None
        self._earlier: list[tuple[float, Version]] = []  # with the time when they ended, newest first
        self._quick, self._slow, self._watch = map(CapacityLimiter, (QUICK, SLOW, 1))

    async def known(self, *, is_new: bool = False) -> Version:
        """Return the state of the stored data, as it was at most five seconds ago, or with `is_new` as it is now.

        Who asks while another asks the database gets the state before.
        """
        is_asked = self._watch.borrowed_tokens > 0
        recent = None if is_new else self._recent(2 * FRESH_SECONDS if is_asked else FRESH_SECONDS)
        if recent:
            return recent
        return await self._run(partial(self.version, is_new=is_new), self._watch)

    def states(self, known: Version, *, is_of_work: bool) -> list[str]:
        """Return the text of a state, of the numbers or of the work, and of those that ended in the last minutes."""
        limit = time.monotonic() - EARLIER_SECONDS
        versions = [known, *(version for ended, version in self._earlier if ended > limit)]
        return [*dict.fromkeys(one.work if is_of_work else one.text for one in versions)]

    async def run(self, work: Callable[[], Result], *, is_slow: bool = False) -> Result:
        """Return the result of `work`, in a thread; questions take their turns in the order in which they came.

        Raises Busy if its turn does not come in time, Missing for what `work` calls invalid: the request was read
        before, so it is not stored.
        """
        return await self._run(work, self._slow if is_slow else self._quick)

    async def _run(self, work: Callable[[], Result], lane: CapacityLimiter) -> Result:
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

    def version(self, *, is_new: bool = False) -> Version:
        """Return the state of the stored data, as it was at most five seconds ago, or with `is_new` as it is now."""
        with self._lock:
            recent = None if is_new else self._recent(FRESH_SECONDS)
            if recent:
                return recent
            begun, now = time.monotonic(), resources.settings().now()
            with self.database.transaction() as transaction:
                found = transaction.rows("data_version")[0]
            today = weeks.today(now)  # on which depends what is due, or late
            moment = found["observed_at"] and found["observed_at"].isoformat()
            known = Version(f"{found['numbers']} {today}", f"{found['work']} {now:%Y-%m-%dT%H}", moment)
            if self._newest and self._newest[1] != known:
                limit = begun - EARLIER_SECONDS
                self._earlier = [(begun, self._newest[1]), *(one for one in self._earlier if one[0] > limit)]
            self._newest = (begun, known)
            return known

    def _recent(self, seconds: float) -> Version | None:
        if self._newest is None or time.monotonic() - self._newest[0] > seconds:
            return None
        return self._newest[1]

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
