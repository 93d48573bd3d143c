"""Programs that the supervisor runs, their environment and their ports."""

import os
import random
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path

# Below the ports of outgoing connections on Linux and macOS: while a server is down, a client that keeps
# connecting cannot be given the server's port, nor connect to itself.
PORTS = range(10_000, 32_768)


@dataclass(frozen=True)
class Program:
    """What to run and how to end it. `environment` is complete; `user` is a user id, None for the current user."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: dict[str, str] = field(repr=False)
    directory: Path | None = None
    user: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # Sent by the kernel when the supervisor dies. A worker must be able to end its own children.
    death_signal: signal.Signals = signal.SIGTERM
    # Ends the program at once; SIGKILL to its whole group follows.
    quick_signal: signal.Signals = signal.SIGKILL
    grace: float = 20.0  # seconds to end after the stop signal


@dataclass(frozen=True)
class Server(Program):
    """A program that others connect to; `provides` are the OTCPIPE_* variables with its address."""

    provides: dict[str, str] = field(repr=False, default_factory=dict)
    # Sockets outside its home that it leaves behind when it is killed.
    leftovers: tuple[Path, ...] = ()
    # The binary, if its processes leave their group; they are found by this and the directory.
    sessions: Path | None = None
    # Files that are set aside if the server does not start with them.
    disposable: Path | None = None
    # gRPC ports that must refuse clients without a certificate.
    sealed: tuple[int, ...] = ()
    # A line of its log that says that it needs longer to start, and goes on with it.
    starting: str | None = None


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a server: none of the user's variables, so no secret and no unintended option."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "LC_ALL": "C", "TZ": "UTC", **more}


def free_ports(count: int) -> list[int]:
    """Return different ports of 127.0.0.1 on which no server listens."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(found) == count:
            break
        if is_free(port):
            found.append(port)
    return found


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As servers do: closed connections of an earlier server do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
