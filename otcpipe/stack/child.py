"""One running program: start it, restart it when it dies, and end it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from otcpipe.errors import StackFailed
from otcpipe.stack import disposable, kernel, private
from otcpipe.stack.program import Program, Server
from otcpipe.stack.restarts import LIMIT, Restarts

TAIL_LINES = 15
FRESH_SECONDS = 10.0
SETTLED_SECONDS = 5.0  # a program that runs this long has started successfully
# Return codes of a crash, besides those above 0; other signals were sent from outside.
CRASHES = frozenset({-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL})


class Child:
    """A program that was started, and is restarted when it dies."""

    def __init__(
        self,
        program: Program,
        inherited: tuple[int, ...] = (),
        warn: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.program = program
        self._inherited = inherited
        self._warn = warn
        self._moved_to: Path | None = None
        self._restarts = Restarts()
        self._restart_at: float | None = None
        self._process = self._spawn()

    @property
    def pid(self) -> int:
        """The process id; after a death that of the dead process, until it is restarted."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The return code, negative for a signal; None while the process runs."""
        return self._process.poll()

    def restart_if_dead(self) -> int | None:
        """Restart the program if it has died and its wait is over; return the dead process's return code, else None.

        Raises StackFailed if it died too often.
        """
        code = self.returncode
        if code is None:
            return None
        now = time.monotonic()
        if self._restart_at is None:
            self._end_group()  # a killed worker leaves its own children behind
            self._restarts.add_death(now)
            if self._restarts.is_exhausted(now):
                raise StackFailed(f"{self.program.name} died {LIMIT}{self.tail()}")
            self._restart_at = now + self._restarts.wait(now)
        if now < self._restart_at:
            return None
        self._restart_at = None
        # After a single crash the disposable files stay: the next start may succeed.
        if self._restarts.count(now) == 1 or not self.start_without_disposable():
            self._process = self._spawn()
        return code

    def start_without_disposable(self) -> bool:
        """Start a crashed server without its disposable files; return False if it has none, or was not started.

        If the server crashes without them too, they were not the reason and are restored.
        """
        path = self.program.disposable if isinstance(self.program, Server) else None
        code = self.returncode
        if path is None or code is None or (code <= 0 and code not in CRASHES):
            return False
        if self._moved_to and time.monotonic() - self._spawned < SETTLED_SECONDS:
            disposable.restore(self._moved_to, path)
            self._warn(f"{self.program.name} does not start without {path} either, so it was restored.")
            self._moved_to = None
            return False
        self._moved_to = disposable.set_aside(path)
        if self._moved_to is None:
            return False
        self._warn(
            f"Warning: {self.program.name} does not start with {path} (code {code}): moved to {self._moved_to}."
            f" Nothing in it is needed: `otcpipe reconcile`, which the scheduler runs, enqueues again what is due."
        )
        self._process = self._spawn()
        return True

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program's own process; does nothing if it has ended."""
        self._process.send_signal(number)

    def end(self, grace: float) -> None:
        """Wait up to `grace` seconds for the program to end, then kill all processes of its group that are left."""
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._end_group()
        self._process.wait()
        if isinstance(self.program, Server):
            for path in self.program.leftovers:
                path.unlink(missing_ok=True)

    def is_starting(self) -> bool:
        """Return whether a server's log says, and said lately, that it needs longer to start."""
        line = self.program.starting if isinstance(self.program, Server) else None
        is_fresh = time.time() - self.program.log.stat().st_mtime < FRESH_SECONDS
        return line is not None and is_fresh and any(line in one for one in self._last_lines())

    def tail(self) -> str:
        """Return the end of the program's log, for an error message."""
        return "\n".join([f"; the end of {self.program.log}:", *self._last_lines()])

    def _last_lines(self) -> list[str]:
        return self.program.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]

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
                    # Safe with threads: it makes two system calls and takes no lock.
                    preexec_fn=kernel.death_signal_setter(os.getpid(), program.death_signal),  # noqa: PLW1509
                )
            except OSError as error:
                raise StackFailed(f"{program.name} cannot be started: {error}") from error


def _kill(kill: Callable[[int, int], None], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS raises PermissionError if only zombies are left
        kill(number, signal.SIGKILL)
