"""Everything that a seed can disturb: servers, workers, the proxies between them, FINRA; and how it is healed."""

import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from urllib.parse import urlsplit

from otcpipe import resources
from otcpipe.settings import DEFAULTS
from otcpipe.stack import Program, Supervisor, kernel
from otcpipe.stack.child import Child
from otcpipe.stack.program import Server
from tests.chaos.proxy import Wire
from tests.conftest import READY, place
from tests.finra_server import Dataset, FinraServer

WIRED = {"postgres": "OTCPIPE_DATABASE_URL", "valkey": "OTCPIPE_REDIS_URL", "seaweedfs": "OTCPIPE_S3_ENDPOINT"}
LEASE_SECONDS = 2
TICK_SECONDS = 0.02


@dataclass
class World:
    """What a seed may disturb. Each worker has proxies of its own, by the names of their servers."""

    servers: Mapping[str, Child]
    workers: Sequence[Child]
    wires: Sequence[Mapping[str, Wire]]
    finra: FinraServer
    dumps: list[str] = field(default_factory=list)  # databases that are copies of former states, oldest first
    restored: int = 0  # how often an older state, or nothing, was put in the database's place
    paused: list[Timer] = field(default_factory=list)
    deeds: list[str] = field(default_factory=list)  # kinds of what was done

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Wait until a condition holds, at most so long; return whether it does. What dies meanwhile is restarted."""
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() >= deadline:
                return False
            self.tick()
            time.sleep(TICK_SECONDS)
        return True

    def tick(self) -> None:
        """Restart what died, as a supervisor does; these deaths are intended and are not counted."""
        for child in (*self.servers.values(), *self.workers):
            child._restarts._deaths.clear()
            child.restart_if_dead()

    def kill(self, child: Child) -> None:
        _send(child, signal.SIGKILL)

    def pause(self, child: Child, seconds: float) -> None:
        """Pause a process and its children for a while, even while a disturbance waits for it."""
        _send(child, signal.SIGSTOP)
        timer = Timer(seconds, _send, (child, signal.SIGCONT))
        timer.start()
        self.paused.append(timer)

    def worker_behind(self, port: int) -> Child | None:
        """Return the worker whose proxy reaches PostgreSQL from a port."""
        found = [
            worker for worker, wires in zip(self.workers, self.wires, strict=True) if port in wires["postgres"].ports
        ]
        return found[0] if found else None

    def heal(self) -> None:
        """End all disturbances; return when all servers answer."""
        for timer in self.paused:
            timer.cancel()
        self.paused.clear()
        for child in (*self.servers.values(), *self.workers):
            _send(child, signal.SIGCONT)
        for wires in self.wires:
            for wire in wires.values():
                wire.heal()
        self.finra.faults.clear()
        assert self.wait(30, lambda: all(is_ready(os.environ) for is_ready in READY.values()))


def _send(child: Child, number: signal.Signals) -> None:
    """Signal a program and its children: a worker's messages are processed by its child."""
    if child.returncode is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)
    program = child.program
    if isinstance(program, Server) and program.sessions and program.directory and number != signal.SIGKILL:
        for pid in kernel.running(program.sessions, program.directory):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


@contextmanager
def running(victims: Supervisor, dataset: Dataset, home: Path, workers: int = 2, threads: int = 2) -> Iterator[World]:
    """Start workers on servers that will be disturbed; each connection goes through a proxy."""
    with ExitStack() as stack:
        finra = stack.enter_context(FinraServer(dataset, most_bytes=4000))
        more = {"OTCPIPE_FINRA_URL": finra.url, "OTCPIPE_FINRA_RATE": "1000", "OTCPIPE_LEASE": str(LEASE_SECONDS)}
        more["OTCPIPE_PUBLISH"] = f"s3://{DEFAULTS['S3_BUCKET']}/lake/{home.name}-{secrets.token_hex(4)}"
        variables = stack.enter_context(place(victims, home, **more))
        wires = [_wires(stack, variables) for _ in range(workers)]
        programs = [_worker(number, threads, home, variables, wires[number]) for number in range(workers)]
        for worker in programs:
            stack.callback(worker.end, 0)
        servers = {child.program.name: child for child in victims._children}
        yield World(servers, programs, wires, finra)


def _wires(stack: ExitStack, variables: Mapping[str, str]) -> dict[str, Wire]:
    ports = {name: urlsplit(variables[variable]).port or 0 for name, variable in WIRED.items()}
    return {name: stack.enter_context(Wire(port)) for name, port in ports.items()}


def _worker(number: int, threads: int, home: Path, variables: Mapping[str, str], wires: Mapping[str, Wire]) -> Child:
    through = {
        WIRED[name]: variables[WIRED[name]].replace(f":{wire.target}", f":{wire.port}", 1)
        for name, wire in wires.items()
    }
    command = (sys.executable, "-m", "dramatiq", "tests.chaos.worker", "--processes", "1", "--threads", str(threads))
    environment = os.environ | variables | through
    return Child(Program(f"worker{number}", command, home / f"worker{number}.log", environment=environment))


def run_query(text: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with resources.database().transaction() as transaction:
        return [tuple(row.values()) for row in transaction.connection.execute(text.encode()).fetchall()]
