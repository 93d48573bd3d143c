"""A program for the supervisor to run."""

import os
import random
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path

# Below the ports that Linux and macOS give to outgoing connections: while a server is down, a client
# that keeps dialling cannot take its port, nor meet itself there.
PORTS = range(10_000, 32_768)


@dataclass(frozen=True)
class Program:
    """What runs, and how it ends. `environment` is the whole of it; a user id of None is our own."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: dict[str, str] = field(repr=False)
    directory: Path | None = None
    user: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # What the kernel sends when the supervisor dies. A worker must be able to end its own children.
    death_signal: signal.Signals = signal.SIGTERM
    # What ends it at once; SIGKILL to its whole group follows.
    quick_signal: signal.Signals = signal.SIGKILL
    grace: float = 20.0


@dataclass(frozen=True)
class Server(Program):
    """A program that others connect to: `provides` are the OTCPIPE_* variables that say where."""

    provides: dict[str, str] = field(repr=False, default_factory=dict)
    # Sockets outside its home that it forgets when it is killed.
    leftovers: tuple[Path, ...] = ()
    # The binary, if its processes leave their group: they are found by it and by the directory.
    sessions: Path | None = None
    # What it can do without, if it does not start with it.
    disposable: Path | None = None
    # gRPC ports of which each client must show a certificate.
    sealed: tuple[int, ...] = ()


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a server gets to see: none of the user's own variables, so no secret and no stray option."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "LC_ALL": "C", "TZ": "UTC", **more}


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nothing listens on."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(found) == count:
            break
        if is_free(port):
            found.append(port)
    return found


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As servers do: connections that a server before has closed do not hinder.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
