"""The local stack's commands."""

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from otcpipe import broker, settings, store, warehouse
from otcpipe.cli.console import say
from otcpipe.errors import Invalid, StackFailed
from otcpipe.stack import Program, Supervisor, start_servers, state

READY = {"postgres": warehouse.is_up, "valkey": broker.is_up, "seaweedfs": store.is_up}
THREADS = 1  # of a process: a stage of a large partition takes some 400 MB, and Python's work one core
STOP_SECONDS = 60
LEAN = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"}  # what is freed goes back


def up(workers: int) -> None:
    """Start the stack and stay until a signal; what dies is started again."""
    home = settings.load(_without_servers()).home
    over = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: over.set())
    started = time.monotonic()
    environ = settings.expand(os.environ)
    supervisor = start_servers(home, environ=environ, ready=READY, prepare=_prepare)
    try:
        for number in range(workers):
            supervisor.add(_worker(home, supervisor, number + 1))
        kinds = f"the servers and {workers} workers are" if workers else "the servers are"
        say(f"Ready in {time.monotonic() - started:.1f} s: {kinds} running in {home}. Ctrl-C stops all of it.")
        supervisor.watch(over, lambda name, code: say(f"{name} ended with code {code} and was started again."))
    finally:
        say("Stopping.")
        supervisor.stop()


def down() -> None:
    home = settings.load(_without_servers()).home
    running = _running(home)
    if running is None:
        say(f"No stack runs in {home}.")
        return
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _running(home) == running:  # its announcement goes last
        if time.monotonic() > deadline:
            raise StackFailed(f"The stack in {home} (process {running.pid}) does not stop.")
        time.sleep(0.05)
    say(f"Stopped the stack in {home}.")


def env() -> None:
    home = settings.load(_without_servers()).home
    running = _running(home)
    if running is None:
        raise Invalid(f"No stack runs in {home}: start one with `otcpipe up`.")
    for name, text in (running.environment | {"OTCPIPE_HOME": str(home)}).items():
        sys.stdout.write(f"export {name}={shlex.quote(text)}\n")


def migrate() -> None:
    found = settings.load()
    applied = warehouse.Warehouse(found["DATABASE_URL"]).migrate()
    store.Store(found).create_bucket()
    say(f"Applied {', '.join(applied)}." if applied else "The schema is up to date.")


def _prepare(environment: Mapping[str, str]) -> None:
    found = settings.load(environment)
    database = warehouse.Warehouse(found["DATABASE_URL"])
    database.migrate()
    database.close()
    store.Store(found).create_bucket()


def _worker(home: Path, supervisor: Supervisor, number: int) -> Program:
    command = (sys.executable, "-m", "dramatiq", "actors", "--processes", "1", "--threads", str(THREADS))
    return Program(
        name=f"worker{number}",
        command=command,
        log=home / "logs" / f"worker{number}.log",
        environment=LEAN | dict(os.environ) | supervisor.environment,
    )


def _running(home: Path) -> state.State | None:
    found = state.read(home)
    return found if found and state.is_alive(found) else None


def _without_servers() -> dict[str, str]:
    """The environment without server variables, which may be of another home."""
    return {name: text for name, text in settings.expand(os.environ).items() if name == "OTCPIPE_HOME"}
