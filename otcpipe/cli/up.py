"""Run the local stack in the foreground."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from otcpipe import settings
from otcpipe.broker import actors
from otcpipe.cli.console import say
from otcpipe.stack import Program, start_servers
from otcpipe.stack.program import free_ports, is_free
from otcpipe.storage import postgres, s3

READY = {"postgres": postgres.is_up, "valkey": actors.is_up, "seaweedfs": s3.is_up}
THREADS = 1  # in a worker process: a stage of a large partition takes some 400 MB and one core
LEAN = {  # return freed memory to the system; by default the C library keeps large blocks
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(256 << 10),
    "MALLOC_TRIM_THRESHOLD_": str(4 << 20),
}


def up(workers: int) -> None:
    """Run the stack until SIGINT, SIGTERM or SIGHUP; restart every process that dies."""
    environ = settings.expand(os.environ)
    home = settings.load(environ).home
    over = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: over.set())
    started = time.monotonic()
    supervisor = start_servers(home, environ=environ, ready=READY, prepare=_prepare, warn=_say_at)
    try:
        environ = LEAN | environ | supervisor.environment | {"OTCPIPE_TELEMETRY_PORT": _telemetry_port(environ)}
        for program in _programs(home, environ, workers):
            supervisor.add(program)
        _say_ready(home, environ, workers, time.monotonic() - started)
        supervisor.watch(over, lambda name, code: _say_at(f"{name} ended with code {code} and was started again."))
    finally:
        _say_at("Stopping.")
        supervisor.stop()


def _prepare(environment: Mapping[str, str]) -> None:
    found = settings.load(environment)
    database = postgres.Database(found["DATABASE_URL"])
    database.migrate()
    database.close()
    s3.ObjectStore(found).create_bucket()


def _programs(home: Path, environ: Mapping[str, str], workers: int) -> Iterator[Program]:
    """Yield workers, scheduler and telemetry; nothing without workers."""
    work = ("dramatiq", "actors", "--processes", "1", "--threads", str(THREADS))
    for number in range(workers):
        yield _program(home, f"worker{number + 1}", environ, *work)
    if workers:
        yield _program(home, "scheduler", environ, "otcpipe", "schedule")
        yield _program(home, "telemetry", environ, "otcpipe", "telemetry")


def _program(home: Path, name: str, environ: Mapping[str, str], *module: str) -> Program:
    command = (sys.executable, "-m", *module)
    return Program(name=name, command=command, log=home / "logs" / f"{name}.log", environment=dict(environ))


def _telemetry_port(environ: Mapping[str, str]) -> str:
    """Return the port from the settings, else the default one, or a free port if another stack uses it."""
    usual = settings.DEFAULTS["TELEMETRY_PORT"]
    found = usual if is_free(int(usual)) else str(free_ports(1)[0])
    return environ.get("OTCPIPE_TELEMETRY_PORT") or found


def _say_ready(home: Path, environ: Mapping[str, str], workers: int, seconds: float) -> None:
    kinds = f"the servers, {workers} workers and the scheduler are" if workers else "the servers are"
    _say_at(f"Ready in {seconds:.1f} s: {kinds} running in {home}. Ctrl-C stops all of it.")
    found = settings.load(environ)
    where = f"http://{found['TELEMETRY_HOST']}:{found['TELEMETRY_PORT']}/metrics"
    _say_at(f"Logs are in {home / 'logs'}{f', telemetry is at {where}' if workers else ''}.")


def _say_at(sentence: str) -> None:
    """Print a sentence with the local time."""
    say(f"[{datetime.now():%H:%M:%S}] {sentence}")  # noqa: DTZ005 - local time, for the terminal
