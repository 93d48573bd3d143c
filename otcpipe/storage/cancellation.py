"""Stop a stage from another thread by cancelling its statements in progress.

A thread that waits for a server in C code does not notice an exception raised in it from outside: a stage that waits
for a lock would exceed its time limit by the statement's own. So its statements are cancelled, and the thread that
ran one raises the reason.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from time import monotonic

from otcpipe.errors import OtcpipeError

PATIENCE_SECONDS = 1.0  # until the thread raises the reason itself; then the reason is raised in it from outside
CLEAN_UP_SECONDS = 2.0  # in which the stopped thread may still run statements, such as a rollback
RaiseInThread = Callable[[int, type[BaseException]], bool]  # takes a thread's identifier; False: try again later


class Stopped(OtcpipeError):
    """The stage that this helper thread works for was stopped."""


class StageWork:
    """The work on one message: its thread, its helper threads, and the operations that they wait for."""

    def __init__(self, raise_in_thread: RaiseInThread) -> None:
        self._thread = threading.get_ident()
        self._raise_in_thread = raise_in_thread
        self._lock = threading.Lock()
        self._cancels: dict[object, tuple[int, Callable[[], None]]] = {}
        self._reason: type[BaseException] | None = None
        self._stopped_at = self._raised_at = 0.0
        self._has_ended = False

    @contextmanager
    def cancellable_by(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Let `stop` call `cancel` while the block lasts; an error of a cancelled block is replaced by the reason."""
        self.check()
        operation = object()
        with self._lock:
            self._cancels[operation] = (threading.get_ident(), cancel)
        try:
            yield
        except Exception:
            self.check()
            raise
        finally:
            with self._lock:
                del self._cancels[operation]

    def check(self) -> None:
        """Raise the reason once in the thread of the message, and Stopped in each helper thread."""
        if self._reason is None:
            return
        if threading.get_ident() != self._thread:
            raise Stopped("The stage was stopped.")
        with self._lock:
            is_first, self._raised_at = not self._raised_at, self._raised_at or monotonic()
        if is_first:
            raise self._reason

    def stop(self, reason: type[BaseException]) -> None:
        """Cancel all operations in progress. Call it repeatedly until the work ends: others may begin meanwhile."""
        with self._lock:
            if self._has_ended:
                return
            now = monotonic()
            self._reason, self._stopped_at = self._reason or reason, self._stopped_at or now
            for thread, cancel in self._cancels.values():
                is_cleaning_up = thread == self._thread and self._raised_at > now - CLEAN_UP_SECONDS
                if not is_cleaning_up:
                    with suppress(Exception):  # if the server is gone, so is its statement
                        cancel()
            if not self._raised_at and now - self._stopped_at > PATIENCE_SECONDS:
                self._raised_at = now if self._raise_in_thread(self._thread, self._reason) else 0.0

    def end(self) -> None:
        """Ignore further calls of `stop`: the thread goes on to other work."""
        with self._lock:
            self._has_ended = True


# Helper threads inherit it with their copied context.
CURRENT: ContextVar[StageWork | None] = ContextVar("CURRENT", default=None)


@contextmanager
def cancellable_by(cancel: Callable[[], None]) -> Iterator[None]:
    """Do as `StageWork.cancellable_by` of the current work; without current work the block just runs."""
    work = CURRENT.get()
    if work is None:
        yield
        return
    with work.cancellable_by(cancel):
        yield


def check() -> None:
    """Raise the reason if the current work was stopped: for loops that do not use the database."""
    work = CURRENT.get()
    if work:
        work.check()
