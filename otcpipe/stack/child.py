"""One running program and what it takes to start, watch and end it."""

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from otcpipe.errors import StackFailed
from otcpipe.stack import disposable, kernel, private
from otcpipe.stack.program import Program, Server

TAIL_LINES = 15
# Waits between a death and the next start, and how many deaths within how long are too many; seconds.
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0
DEATHS, WITHIN = 8, 60.0
# A program that runs this long has started well; seconds.
SETTLED = 5.0
# Ends that nobody caused from outside, besides exit codes above 0.
CRASHES = frozenset({-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL})


class Child:
    """A program that was started, and is started again when it dies."""

    def __init__(
        self,
        program: Program,
        inherited: tuple[int, ...] = (),
        warn: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.program = program
        self._inherited = inherited
        self._warn = warn
        self._aside: Path | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._due: float | None = None
        self._process = self._spawn()

    @property
    def pid(self) -> int:
        """The process id; after a death that of the dead one, until it is started again."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def revive(self) -> int | None:
        """Start it again if it has died and its wait is over; gives the dead one's return code if so."""
        code = self.returncode
        if code is None:
            return None
        now = time.monotonic()
        if self._due is None:
            self._end_group()  # a killed worker leaves its own children behind
            self._deaths.append(now)
            if self._is_hopeless(now):
                raise StackFailed(f"{self.program.name} died {DEATHS} times in {WITHIN:.0f} s{self.tail()}")
            self._due = now + self._wait(now)
        if now < self._due:
            return None
        self._due = None
        # A single crash is no reason to start without anything: the next start may go well.
        if self._recent_deaths(now) == 1 or not self.start_without():
            self._process = self._spawn()
        return code

    def start_without(self) -> bool:
        """Start a server that crashed without what it can do without; False if that is not to be tried (again).

        If it crashed without it just as well, that was not the reason: it is put back.
        """
        path = self.program.disposable if isinstance(self.program, Server) else None
        code = self.returncode
        if path is None or code is None or (code <= 0 and code not in CRASHES):
            return False
        if self._aside and time.monotonic() - self._spawned < SETTLED:
            disposable.put_back(self._aside, path)
            self._warn(f"{self.program.name} does not start without {path} either: that was put back.")
            self._aside = None
            return False
        self._aside = disposable.set_aside(path)
        if self._aside is None:
            return False
        self._warn(
            f"Warning: {self.program.name} does not start with {path} (code {code}): it was moved to {self._aside}."
            f" Nothing in it is needed: `otcpipe reconcile`, which the scheduler runs, queues again what is due."
        )
        self._process = self._spawn()
        return True

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program alone; one that has ended is left in peace."""
        self._process.send_signal(number)

    def end(self, grace: float) -> None:
        """Wait for it to end for `grace` seconds, then kill its whole group, which in any case is emptied."""
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._end_group()
        self._process.wait()
        if isinstance(self.program, Server):
            for path in self.program.leftovers:
                path.unlink(missing_ok=True)

    def tail(self) -> str:
        """The end of its log, for an error."""
        lines = self.program.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"; the end of {self.program.log}:", *lines])

    def _is_hopeless(self, now: float) -> bool:
        return len(self._deaths) == DEATHS and now - self._deaths[0] < WITHIN

    def _wait(self, now: float) -> float:
        return min(FIRST_WAIT * 2.0 ** (self._recent_deaths(now) - 1), LONGEST_WAIT)

    def _recent_deaths(self, now: float) -> int:
        return sum(now - death < WITHIN for death in self._deaths)

    def _end_group(self) -> None:
        _kill(os.killpg, self._process.pid)
        if isinstance(self.program, Server) and self.program.sessions and self.program.directory:
            for pid in kernel.running(self.program.sessions, self.program.directory):
                _kill(os.kill, pid)

    def _spawn(self) -> subprocess.Popen[bytes]:
        program = self.program
        self._spawned = time.monotonic()
        private.make_directory(program.log.parent)
        with open(program.log, "ab", opener=private.opener) as log:
            try:
                return subprocess.Popen(
                    program.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=program.directory,
                    env=program.environment,
                    pass_fds=self._inherited,
                    start_new_session=True,
                    umask=0o077,
                    user=program.user,
                    group=program.user,
                    extra_groups=None if program.user is None else (),
                    # Safe with threads: two system calls, no lock.
                    preexec_fn=kernel.dying_with(os.getpid(), program.death_signal),  # noqa: PLW1509
                )
            except OSError as error:
                raise StackFailed(f"{program.name} cannot be started: {error}") from error


def _kill(kill: Callable[[int, int], None], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # PermissionError: macOS, when only zombies are left
        kill(number, signal.SIGKILL)
