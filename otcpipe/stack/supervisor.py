"""The supervisor, which keeps the servers and workers of one local stack running."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from signal import SIGKILL
from typing import Protocol

from otcpipe.errors import StackFailed
from otcpipe.stack.child import Child
from otcpipe.stack.program import Program, Server

LOGGER = logging.getLogger(__name__)
READY_SECONDS = 30.0
READY_INTERVAL, SLOW_INTERVAL = 0.02, 0.5
WATCH_INTERVAL = 0.1


class Flag(Protocol):
    """The part of threading.Event that `watch` needs."""

    def wait(self, timeout: float) -> bool:
        """Wait until the flag is set, at most `timeout` seconds; return whether it is set."""
        ...


class Supervisor:
    """Starts programs, restarts them when they die, and stops them in order: workers, then servers.

    `environment` holds the variables of all servers. `after_stop` is closed when all programs have stopped.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        inherited: tuple[int, ...] = (),
        warn: Callable[[str], None] = LOGGER.warning,
    ) -> None:
        self.environment = dict(environment)
        self.after_stop = ExitStack()
        self._inherited = inherited
        self._warn = warn
        self._children: list[Child] = []

    def add(self, program: Program) -> None:
        """Start a program, only from the main thread. Servers are stopped in the order in which they were added."""
        is_server = isinstance(program, Server)
        self._children.append(Child(program, self._inherited if is_server else (), self._warn))
        if isinstance(program, Server):
            self.environment.update(program.provides)

    def pid(self, name: str) -> int:
        """Return the process id of a program."""
        return self._child(name).pid

    def wait_until_ready(self, ready: Mapping[str, Callable[[], bool]]) -> None:
        """Call the checks until each has returned True.

        Raises StackFailed if a program ends, or takes 30 s and does not say that it needs longer, as a server does
        that recovers from a crash.
        """
        begun, waiting, slow = time.monotonic(), dict(ready), set[str]()
        while waiting:
            is_late = time.monotonic() > begun + READY_SECONDS
            for name in waiting:
                if self._require_starting(name, is_late=is_late) and name not in slow:
                    self._warn(f"{name} recovers what it had not written when it was killed, which may take minutes.")
                    slow.add(name)
            waiting = {name: is_ready for name, is_ready in waiting.items() if not is_ready()}
            if waiting:
                time.sleep(SLOW_INTERVAL if slow else READY_INTERVAL)

    def watch(self, until: Flag, on_restart: Callable[[str, int], None] = lambda name, returncode: None) -> None:
        """Restart programs that die until the flag is set; raises StackFailed if one dies too often."""
        while not until.wait(WATCH_INTERVAL):
            for child in self._children:
                returncode = child.restart_if_dead()
                if returncode is not None:
                    on_restart(child.program.name, returncode)

    def stop(self, quick: bool = False) -> None:
        """Stop all programs; a second call does nothing. `quick` ends them at once, without data loss."""
        children, self._children = self._children, []
        workers = [child for child in children if not isinstance(child.program, Server)]
        servers = [child for child in children if isinstance(child.program, Server)]
        if quick:
            _stop_quickly(children)
        else:
            _stop_together(workers)
            for server in servers:
                _stop_together([server])
        self.after_stop.close()

    def _require_starting(self, name: str, *, is_late: bool) -> bool:
        """Return whether a program is late and says that it goes on starting."""
        child = self._child(name)
        if child.returncode is not None:
            log = child.tail()
            if child.start_without_disposable():
                return False
            raise StackFailed(f"{name} ended with code {child.returncode} while starting{log}")
        if is_late and not child.is_starting():
            raise StackFailed(f"{name} was not ready within {READY_SECONDS:.0f} s{child.tail()}")
        return is_late

    def _child(self, name: str) -> Child:
        return next(child for child in self._children if child.program.name == name)


def _stop_together(children: list[Child]) -> None:
    for child in children:
        child.send(child.program.stop_signal)
    deadline = time.monotonic() + max((child.program.grace for child in children), default=0.0)
    for child in children:
        child.end(max(deadline - time.monotonic(), 0.0))


def _stop_quickly(children: list[Child]) -> None:
    for child in children:
        child.send(child.program.quick_signal)
    for child in children:
        child.end(2.0 if child.program.quick_signal != SIGKILL else 0.5)
