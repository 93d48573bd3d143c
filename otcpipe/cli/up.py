"""Run the local stack in the foreground."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from otcpipe import settings
from otcpipe.broker import actors
from otcpipe.broker.middleware import tracing
from otcpipe.cli import stale_environment
from otcpipe.cli.console import say
from otcpipe.cli.overrides import overrides
from otcpipe.errors import Unreachable, Unready
from otcpipe.metrics import definitions
from otcpipe.pipeline import definition
from otcpipe.schedule.stop_signals import stop_signals
from otcpipe.settings.exposure import require_token
from otcpipe.stack import Program, ports, start_servers
from otcpipe.stack.program import is_free
from otcpipe.storage import postgres, reader, s3

READY = {"postgres": postgres.is_up, "valkey": actors.is_up, "seaweedfs": s3.is_up}
FETCHES = 2  # at once, in a process of their own: one waits for FINRA's rate limit while another is stored
OWN = ("HOME", "NOW", "LOG")  # settings of one command
LEAN = {  # return freed memory to the system; by default the C library keeps large blocks
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(256 << 10),
    "MALLOC_TRIM_THRESHOLD_": str(4 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # in pages of 2 MB, which cost less each time
}


def up(workers: int) -> None:
    """Run the stack until a stop signal; restart every process that dies.

    Raises Unreachable if the environment names a server that does not answer, which would not be started.
    """
    environ = {name: text for name, text in settings.expand(os.environ).items() if text}
    found = settings.load(environ)
    home = found.home
    require_token(found["WEB_HOST"], found["WEB_TOKEN"])
    tracing.require(found)
    over = threading.Event()
    for ending in stop_signals():
        signal.signal(ending, lambda *_: over.set())
    stale_environment.check(environ, READY | {"seaweedfs": _has_store})
    started = time.monotonic()
    supervisor = start_servers(
        home, environ=environ, ready=READY, shared=_shared(environ), prepare=partial(_prepare, home), warn=_say_at
    )
    try:
        environ = LEAN | environ | supervisor.environment | _of_home(home, environ)
        for program in _programs(home, environ, workers):
            supervisor.add(program)
        _say_ready(home, environ, workers, time.monotonic() - started)
        supervisor.watch(over, lambda name, code: _say_at(f"{name} ended with code {code} and was started again."))
    finally:
        _say_at("Stopping.")
        supervisor.stop()


def _shared(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that commands in other terminals need too, such as FINRA's address; no secret."""
    names = {f"OTCPIPE_{name}" for name in settings.DEFAULTS if name not in (*settings.SECRETS, *OWN)}
    return {name: text for name, text in environ.items() if name in names}


def _has_store(environ: Mapping[str, str]) -> bool:
    """Return whether an S3 server answers; its bucket may still be missing."""
    try:
        s3.ObjectStore(settings.load(environ), retries=0).has_bucket()
    except Unreachable:
        return False
    return True


def _prepare(home: Path, environment: Mapping[str, str]) -> None:
    found = settings.load({**environment, "OTCPIPE_HOME": str(home)})
    database = postgres.Database(found["DATABASE_URL"])
    definitions.migrate(database)
    with suppress(Unready), database.transaction() as transaction:  # a server of the user's own may not allow it
        reader.make(transaction)
    database.close()
    s3.ObjectStore(found).create_bucket()


def _programs(home: Path, environ: Mapping[str, str], workers: int) -> Iterator[Program]:
    """Yield workers, scheduler, telemetry, and the pages if their packages are installed; nothing without workers."""
    for name, command in worker_commands(workers).items():
        yield _program(home, name, environ, *command)
    if workers:
        yield _program(home, "scheduler", environ, "otcpipe", "schedule")
        yield _program(home, "telemetry", environ, "otcpipe", "telemetry")
        if _has_pages():
            yield _program(home, "web", environ, "otcpipe", "serve")


def worker_commands(workers: int) -> dict[str, tuple[str, ...]]:
    """Return by name the module and arguments of so many workers, and of one more that only fetches.

    A worker has one thread: a stage of a large partition takes a core and some 300 MB.
    """
    if not workers:
        return {}
    work = ("dramatiq", "actors", "--processes", "1", "--threads")
    fetch, *others = (stage.name for stage in definition.PIPELINE)
    names = [f"worker{number + 1}" for number in range(workers)]
    return dict.fromkeys(names, (*work, "1", "--queues", *others)) | {
        "fetcher": (*work, str(FETCHES), "--queues", fetch)
    }


def _program(home: Path, name: str, environ: Mapping[str, str], *module: str) -> Program:
    command = (sys.executable, "-m", *module)
    return Program(name=name, command=command, log=home / "logs" / f"{name}.log", environment=dict(environ))


def _of_home(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return home and ports: those of the settings, else the usual ones, or the home's own if these are taken."""
    found = {"OTCPIPE_HOME": str(home)}
    for name in ("TELEMETRY", "WEB"):
        variable, usual = f"OTCPIPE_{name}_PORT", settings.DEFAULTS[f"{name}_PORT"]
        own = usual if is_free(int(usual)) else str(ports.keep(home, name.lower()))
        found[variable] = environ.get(variable) or own
    return found


def _has_pages() -> bool:
    return all(find_spec(name) for name in ("fastapi", "uvicorn"))


def _say_ready(home: Path, environ: Mapping[str, str], workers: int, seconds: float) -> None:
    kinds = f"the servers, {workers} workers and the scheduler are" if workers else "the servers are"
    _say_at(f"Ready in {seconds:.1f} s: {kinds} running in {home}. Ctrl-C stops all of it.")
    found = settings.load(environ)
    where = f"http://{found['TELEMETRY_HOST']}:{found['TELEMETRY_PORT']}/metrics{_taken('TELEMETRY', found)}"
    for sentence in overrides(os.environ):
        _say_at(sentence)
    _say_at(f"Logs are in {home / 'logs'}{f', telemetry is at {where}' if workers else ''}.")
    if workers and _has_pages():
        _say_at(f"Pages: http://{found['WEB_HOST']}:{found['WEB_PORT']}/{_taken('WEB', found)}")


def _taken(name: str, found: settings.Settings) -> str:
    """Return why the port is not the usual one, if no setting says so."""
    setting = f"{name}_PORT"
    usual, is_set = settings.DEFAULTS[setting], settings.expand(os.environ).get(f"OTCPIPE_{setting}")
    return "" if is_set or found[setting] == usual else f" ({usual} is taken)"


def _say_at(sentence: str) -> None:
    """Print a sentence with the local time."""
    say(f"[{datetime.now():%H:%M:%S}] {sentence}")  # noqa: DTZ005 - local time, for the terminal
