"""A pytest plugin that ends the waits of a hanging test.

At a timeout pytest raises in the test, but `Popen.__exit__` then waits for the process, and so may a fixture's end.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

GRACE_SECONDS = 10.0  # between the timeout and the first kill
AGAIN_SECONDS = 5.0
WATCHDOG = pytest.StashKey["Watchdog"]()


class Watchdog:
    """Kills what this process has started since, after `seconds` and then every 5 s until `stop`."""

    def __init__(self, seconds: float) -> None:
        self._before = descendants(os.getpid())
        self._seconds = seconds
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        seconds = self._seconds
        while not self._stopped.wait(seconds):
            for pid in descendants(os.getpid()) - self._before:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            seconds = AGAIN_SECONDS


def descendants(pid: int) -> set[int]:
    """Return the ids of all processes below a process; none on systems without /proc."""
    children = _children(pid)
    return children.union(*map(descendants, children))


def _children(pid: int) -> set[int]:
    try:
        files = [path / "children" for path in Path(f"/proc/{pid}/task").iterdir()]
        return {int(child) for file in files for child in file.read_text().split()}
    except OSError:  # the process, or a thread of it, has ended
        return set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Begin to watch when the fixtures are made: what a session's fixture started is spared."""
    if seconds := _timeout(item):
        item.stash[WATCHDOG] = Watchdog(seconds + GRACE_SECONDS)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Watch to the end of the fixtures."""
    try:
        return (yield)
    finally:
        if watchdog := item.stash.get(WATCHDOG, None):
            watchdog.stop()


def _timeout(item: pytest.Item) -> float:
    """Return the seconds that pytest-timeout gives a test; 0 means no limit."""
    marker = item.get_closest_marker("timeout")
    if marker and marker.args:
        return float(marker.args[0])
    option = item.config.getoption("timeout", None)
    return float(item.config.getini("timeout") or 0 if option is None else option)
