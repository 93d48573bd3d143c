"""Calls in threads of their own, which end soon after their caller: in time, by an error, or by an interrupt.

The caller only ever waits in short slices, so that an exception that another thread raises in it (Dramatiq's time
limit and shutdown) arrives, even while a call hangs in a connection or a name server.
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

SLICE = 0.25  # seconds
T = TypeVar("T")


class Threads:
    """Runs calls side by side, with the context variables of the caller."""

    def __init__(self, pool: ThreadPoolExecutor, limit: Limit) -> None:
        self._pool = pool
        self._limit = limit

    def all(self, calls: Iterable[Callable[[], T]]) -> list[T]:
        """The results in the order of the calls; raises the first error at once, and GivenUp past the limit.

        After an error no further call begins.
        """
        errors: list[BaseException] = []
        futures: list[Future[T]] = [
            self._pool.submit(copy_context().run, partial(_run, call, errors)) for call in calls
        ]
        try:
            while wait(futures, SLICE, FIRST_EXCEPTION).not_done:
                if errors:
                    raise errors[0]
                self._limit.check()
            return [one.result() for one in futures]
        finally:
            for one in futures:
                one.cancel()

    def one(self, call: Callable[[], T]) -> T:
        """The result of a single call."""
        return self.all([call])[0]


def _run(call: Callable[[], T], errors: list[BaseException]) -> T:
    """Run a call, or raise the error of an earlier one; adds its own error to the list."""
    if errors:
        raise errors[0]
    try:
        return call()
    except BaseException as error:
        errors.append(error)
        raise


@contextmanager
def threads(most: int) -> Iterator[Threads]:
    """At most so many threads under the limit in force; they are cancelled when the block ends."""
    limit = replace(LIMIT.get(), cancelled=Event())
    token = LIMIT.set(limit)
    pool = ThreadPoolExecutor(most, thread_name_prefix="finra")
    try:
        yield Threads(pool, limit)
    finally:
        limit.cancelled.set()
        LIMIT.reset(token)
        pool.shutdown(wait=False, cancel_futures=True)
