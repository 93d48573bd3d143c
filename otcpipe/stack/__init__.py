"""The local stack: PostgreSQL, Valkey and SeaweedFS as children of one process, on 127.0.0.1.

A server whose URL is already in the environment is somebody else's: it is passed through, not started.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from otcpipe.stack import postgres, private, sealed, seaweed, state, valkey
from otcpipe.stack.program import Program, Server
from otcpipe.stack.supervisor import Supervisor

__all__ = ["Program", "Server", "Supervisor", "start_servers"]

LOGGER = logging.getLogger(__name__)
# Which variable says that a server is external, and what all its variables begin with.
EXTERNAL = {
    "seaweedfs": ("OTCPIPE_S3_ENDPOINT", "OTCPIPE_S3_"),
    "postgres": ("OTCPIPE_DATABASE_URL", "OTCPIPE_DATABASE_URL"),
    "valkey": ("OTCPIPE_REDIS_URL", "OTCPIPE_REDIS_URL"),
}


def start_servers(
    home: Path,
    *,
    durable: bool = True,
    environ: Mapping[str, str],
    ready: Mapping[str, Callable[[Mapping[str, str]], bool]],
    prepare: Callable[[Mapping[str, str]], None] = lambda environment: None,
    warn: Callable[[str], None] = LOGGER.warning,
) -> Supervisor:
    """Start what `environ` does not name, wait until it is ready, prepare it, and announce it in the state file.

    The home is locked and the state file stays until `Supervisor.stop`. Call it from the main thread.
    """
    home = private.make_directory(home).resolve()
    lock = state.lock(home)
    supervisor = Supervisor(_external(environ), inherited=(lock.fileno(),), warn=warn)
    supervisor.after_stop.callback(lock.close)
    with ExitStack() as undo:
        undo.callback(supervisor.stop, quick=True)
        _keep_logs(home)
        started = _add_servers(supervisor, home, durable, environ)
        supervisor.wait_until_ready(
            {server.name: partial(ready[server.name], supervisor.environment) for server in started}
        )
        for server in started:
            sealed.require(server.name, server.sealed)
        prepare(supervisor.environment)
        supervisor.after_stop.callback(state.remove, home)
        state.write(home, supervisor.environment)
        undo.pop_all()
    return supervisor


def _add_servers(supervisor: Supervisor, home: Path, durable: bool, environ: Mapping[str, str]) -> list[Server]:
    """Start each server that is ours, the slowest first: one gets ready while the next is prepared."""
    prepare: dict[str, Callable[[], Server]] = {
        "seaweedfs": partial(seaweed.prepare, home),
        "postgres": partial(postgres.prepare, home, durable),
        "valkey": partial(valkey.prepare, home),
    }
    started = []
    for name, (variable, _) in EXTERNAL.items():
        if variable not in environ:
            server = prepare[name]()
            supervisor.add(server)
            started.append(server)
    return started


def _external(environ: Mapping[str, str]) -> dict[str, str]:
    prefixes = tuple(prefix for variable, prefix in EXTERNAL.values() if variable in environ)
    return {name: value for name, value in environ.items() if name.startswith(prefixes)}


def _keep_logs(home: Path) -> None:
    """Put the logs of the run before this one aside: a log that an error quotes is of this run."""
    for log in private.make_closed(home / "logs").glob("*.log"):
        log.replace(log.with_suffix(".log.1"))
