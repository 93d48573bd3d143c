"""What a stage's threads have under way at servers, and how another thread ends it.

A thread that waits for a server in C code does not see an exception that is raised in it from outside: a stage that
waits for a lock would outlive its time limit by the statement's own. So its statements are cancelled instead, and the
thread that ran one finds the reason there.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from time import monotonic

from otcpipe.errors import OtcpipeError

PATIENCE_SECONDS = 1.0  # for a thread to find the reason by itself; then it is raised wherever the thread is
CLEAN_UP_SECONDS = 2.0  # for what the thread still has to say to servers
Raise = Callable[[int, type[BaseException]], None]  # an exception in a thread, by the thread's number


class Stopped(OtcpipeError):
    """The stage that this thread works for was stopped."""


class StageWork:
    """One message's work: the thread that has it, the threads that help, and what these wait for."""

    def __init__(self, raise_in_thread: Raise) -> None:
        self._thread = threading.get_ident()
        self._raise = raise_in_thread
        self._lock = threading.Lock()
        self._cancels: dict[object, tuple[int, Callable[[], None]]] = {}
        self._reason: type[BaseException] | None = None
        self._stopped_at = self._noticed_at = 0.0
        self._compute_next = False

    @contextmanager
    def under_way(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Let `stop` call `cancel` while the block lasts; what the block raises then is replaced by the reason."""
        self.check()
        place = object()
        with self._lock:
            self._cancels[place] = (threading.get_ident(), cancel)
        try:
            yield
        except Exception:
            self.check()
            raise
        finally:
            with self._lock:
                del self._cancels[place]

    def check(self) -> None:
        """Raises the reason once in the thread that has the message, and Stopped in each that helps it."""
        if self._reason is None:
            return
        if threading.get_ident() != self._thread:
            raise Stopped("The stage was stopped.")
        with self._lock:
            is_news, self._noticed_at = not self._noticed_at, self._noticed_at or monotonic()
        if is_news:
            raise self._reason

    def stop(self, reason: type[BaseException]) -> None:
        """Cancel what is under way; to be called again until the work is over, since more may follow."""
        with self._lock:
            if self._compute_next:
                return
            now = monotonic()
            self._reason, self._stopped_at = self._reason or reason, self._stopped_at or now
            for thread, cancel in self._cancels.values():
                is_cleaning_up = thread == self._thread and self._noticed_at > now - CLEAN_UP_SECONDS
                if not is_cleaning_up:
                    with suppress(Exception):  # a server that is gone: then nothing is under way there
                        cancel()
            if not self._noticed_at and now - self._stopped_at > PATIENCE_SECONDS:
                self._noticed_at = now
                self._raise(self._thread, self._reason)

    def end(self) -> None:
        """Nothing is stopped any more; the thread goes on to other work."""
        with self._lock:
            self._compute_next = True


CURRENT: ContextVar[StageWork | None] = ContextVar(
    "CURRENT", default=None
)  # threads that help have it by their context


@contextmanager
def under_way(cancel: Callable[[], None]) -> Iterator[None]:
    """As the current work does it, where there is one."""
    work = CURRENT.get()
    if work is None:
        yield
        return
    with work.under_way(cancel):
        yield


def check() -> None:
    """Raises what stops the current work, if something does: to be called in loops that ask no database."""
    work = CURRENT.get()
    if work:
        work.check()
