"""Processes that start in milliseconds: forked from one process that has imported all of otcpipe.

`python -m tests.support.warm DESCRIPTOR` is that process. For each request it forks a keeper, which forks the process
itself and reports its id and its exit code.
"""

import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import BinaryIO

import otcpipe
from otcpipe.stack import kernel

MAX_REQUEST_BYTES = 1 << 17


class WarmProcess:
    """`python -m MODULE ARGUMENTS` in a session of its own, as far as tests use `subprocess.Popen`."""

    def __init__(
        self, channel: socket.socket, command: Sequence[str], env: Mapping[str, str], out: BinaryIO, err: BinaryIO
    ) -> None:
        self._reports, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            request = json.dumps({"command": command, "env": dict(env)}).encode()
            socket.send_fds(channel, [request], [theirs.fileno(), out.fileno(), err.fileno()])
        self.pid = int(self._reports.recv(99))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        if self.returncode is None and select.select([self._reports], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code. Raises `subprocess.TimeoutExpired`."""
        if self.returncode is None and not select.select([self._reports], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a warm process", timeout or 0)
        return self._end() if self.returncode is None else self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _end(self) -> int:
        self.returncode = int(self._reports.recv(99) or -signal.SIGKILL)
        self._reports.close()
        return self.returncode


@contextmanager
def started() -> Iterator[socket.socket]:
    """The process that has imported everything, as the channel to it. It ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.support.warm", str(theirs.fileno())]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        yield ours
        ours.close()
        process.wait()


def main() -> None:
    """Run a requested command, in a fork of this process."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    for module in pkgutil.walk_packages(otcpipe.__path__, "otcpipe."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    import_module("dramatiq.cli")
    command = _requested(channel)
    if command:
        sys.argv = command
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)


def _requested(channel: socket.socket) -> list[str]:
    """Serve requests; return the command in a process that is to run it, and nothing when no requests follow."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no keeper is waited for
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    served = os.getpid()
    while request := socket.recv_fds(channel, MAX_REQUEST_BYTES, 3):
        text, descriptors, _, _ = request
        if not text:
            break
        if not os.fork():
            _die_with(served, signal.SIGKILL)
            channel.close()
            return _fork(json.loads(text), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
    return []


def _fork(request: dict[str, object], descriptors: Sequence[int]) -> list[str]:
    """Fork the process that is to run the command, and return the command in it; this one keeps it and ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    reports, out, err = descriptors
    keeper = os.getpid()
    if pid := os.fork():
        os.close(out)
        os.close(err)
        with socket.socket(fileno=reports) as channel:
            channel.send(str(pid).encode())
            _, status = os.waitpid(pid, 0)
            try:
                channel.send(str(os.waitstatus_to_exitcode(status)).encode())
            finally:
                os._exit(0)
    _die_with(keeper, signal.SIGTERM)
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for descriptor in descriptors:
        os.close(descriptor)
    command, env = request["command"], request["env"]
    assert isinstance(command, list)
    assert isinstance(env, dict)
    os.environ.clear()
    os.environ.update(env)
    return command


def _die_with(parent: int, number: signal.Signals) -> None:
    if set_death_signal := kernel.death_signal_setter(parent, number):
        set_death_signal()


if __name__ == "__main__":
    main()
