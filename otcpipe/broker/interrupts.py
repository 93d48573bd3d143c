"""Raise an exception in another thread, where it can arrive."""

import sys
from threading import Thread
from types import FrameType

from dramatiq.middleware.threading import raise_thread_exception


def raise_in_thread(thread: int, error: type[BaseException]) -> bool:
    """Raise `error` in the thread with this identifier, unless it is starting another thread; return whether.

    CPython gives a new thread the identifier of the one that starts it, until it runs. An exception that is raised by
    identifier meanwhile ends the new thread at birth, and the other waits for it for ever, in possession of the lock
    of all thread pools.
    """
    if _is_starting_a_thread(sys._current_frames().get(thread)):  # noqa: SLF001 - public by its documentation
        return False
    raise_thread_exception(thread, error)  # type: ignore[no-untyped-call]
    return True


def _is_starting_a_thread(frame: FrameType | None) -> bool:
    while frame and frame.f_code is not Thread.start.__code__:
        frame = frame.f_back
    return frame is not None
