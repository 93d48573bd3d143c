"""An exception reaches the thread that it is meant for, whatever that thread is doing."""

import threading
import time
from collections.abc import Callable

import pytest
from dramatiq.middleware import TimeLimitExceeded

from otcpipe.broker.interrupts import raise_in_thread
from otcpipe.finra.threads import threads
from otcpipe.storage import cancellation
from otcpipe.storage.cancellation import StageWork


class Held(threading.Thread):
    """A thread that stays at its beginning until the gate opens."""

    def __init__(self, gate: threading.Event) -> None:
        super().__init__(daemon=True)
        self._gate = gate

    def _bootstrap(self) -> None:
        self._gate.wait()
        super()._bootstrap()  # type: ignore[misc]


def interrupted(work: Callable[[], None]) -> tuple[threading.Thread, list[BaseException]]:
    """Start a thread that works until it is interrupted; return it with the list that receives the exception."""
    ended: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except TimeLimitExceeded as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, ended


def test_a_thread_that_starts_another_is_interrupted_afterwards() -> None:
    gate, waits = threading.Event(), threading.Event()

    def work() -> None:
        Held(gate).start()
        waits.wait(30)

    thread, ended = interrupted(work)
    time.sleep(0.1)
    assert not raise_in_thread(thread.ident or 0, TimeLimitExceeded)
    gate.set()
    while not raise_in_thread(thread.ident or 0, TimeLimitExceeded):
        time.sleep(0.01)
    waits.set()
    thread.join(10)
    assert ended


def test_a_stage_that_waits_for_its_threads_raises_the_reason_itself() -> None:
    def never(thread: int, error: type[BaseException]) -> bool:
        pytest.fail("The exception was raised from outside.")

    works, release = list[StageWork](), threading.Event()

    def work() -> None:
        works.append(StageWork(never))
        cancellation.CURRENT.set(works[0])
        with threads(1) as pool:
            pool.one(lambda: release.wait(30))

    thread, ended = interrupted(work)
    while not works:
        time.sleep(0.01)
    works[0].stop(TimeLimitExceeded)
    thread.join(10)
    release.set()
    assert ended
