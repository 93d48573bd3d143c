"""Calls in helper threads, which end soon after their caller: normally, by an error or by an interrupt.

The caller waits in short slices, so that an exception raised in it by another thread (Dramatiq's time limit and
shutdown) arrives even while a call hangs in a connection or in name resolution.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from threading import Event
from typing import TypeVar

from otcpipe.finra.limits import LIMIT, Limit
from otcpipe.storage import cancellation

SLICE_SECONDS = 0.25  # seconds
T = TypeVar("T")


class Threads:
    """Runs calls in parallel, with the context variables of the caller."""

    def __init__(self, pool: ThreadPoolExecutor, limit: Limit) -> None:
        self._pool = pool
        self._limit = limit

    def all(self, calls: Iterable[Callable[[], T]]) -> list[T]:
        """Return the results in the order of the calls.

        Raises the first error at once, TimedOut past the limit, and the reason if the stage was stopped.

        After an error no further call is started.
        """
        errors: list[BaseException] = []
        futures: list[Future[T]] = [
            self._pool.submit(copy_context().run, partial(_run, call, errors)) for call in calls
        ]
        try:
            while wait(futures, SLICE_SECONDS, FIRST_EXCEPTION).not_done:
                if errors:
                    raise errors[0]
                cancellation.check()
                self._limit.check()
            return [one.result() for one in futures]
        finally:
            for one in futures:
                one.cancel()

    def one(self, call: Callable[[], T]) -> T:
        """Return the result of a single call."""
        return self.all([call])[0]


def _run(call: Callable[[], T], errors: list[BaseException]) -> T:
    """Run a call unless an earlier one failed, whose error is raised then; append its own error to the list."""
    if errors:
        raise errors[0]
    try:
        return call()
    except BaseException as error:
        errors.append(error)
        raise


@contextmanager
def threads(count: int) -> Iterator[Threads]:
    """Provide up to `count` threads under the limit in force; their calls are cancelled when the block ends."""
    limit = replace(LIMIT.get(), cancelled=Event())
    token = LIMIT.set(limit)
    pool = ThreadPoolExecutor(count, thread_name_prefix="finra")
    try:
        yield Threads(pool, limit)
    finally:
        limit.cancelled.set()
        LIMIT.reset(token)
        pool.shutdown(wait=False, cancel_futures=True)
