"""The local stack: PostgreSQL, Valkey and SeaweedFS as children of one process, on 127.0.0.1.

A server whose URL is already in the environment is external: its variables are passed through, it is not started.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import MappingProxyType

from otcpipe.stack import postgres, private, sealed, seaweed, state, valkey
from otcpipe.stack.program import Program, Server
from otcpipe.stack.supervisor import Supervisor

__all__ = ["Program", "Server", "Supervisor", "start_servers"]

LOGGER = logging.getLogger(__name__)
# The variable that makes a server external, and the prefix of all variables of that server.
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
    shared: Mapping[str, str] = MappingProxyType({}),
    prepare: Callable[[Mapping[str, str]], None] = lambda environment: None,
    warn: Callable[[str], None] = LOGGER.warning,
) -> Supervisor:
    """Start the servers that `environ` does not name, wait until they are ready, and write the state file.

    The file has the servers' variables, and the variables `shared` with commands in other terminals.

    Holds the lock of the home and keeps the state file until `Supervisor.stop`. Must be called from the main thread.
    Raises StackBusy if a stack runs in this home, StackFailed or ServerMissing if a server cannot be started.
    """
    home = private.make_directory(home).resolve()
    lock = state.lock(home)
    supervisor = Supervisor(_external(environ), inherited=(lock.fileno(),), warn=warn)
    supervisor.after_stop.callback(lock.close)
    with ExitStack() as undo:
        undo.callback(supervisor.stop, quick=True)
        _rotate_logs(home)
        started = _add_servers(supervisor, home, durable, environ, warn)
        supervisor.wait_until_ready(
            {server.name: partial(ready[server.name], supervisor.environment) for server in started}
        )
        for server in started:
            sealed.require(server.name, server.sealed)
        prepare(supervisor.environment)
        supervisor.after_stop.callback(state.remove, home)
        state.write(home, {**shared, **supervisor.environment})
        undo.pop_all()
    return supervisor


def _add_servers(
    supervisor: Supervisor, home: Path, durable: bool, environ: Mapping[str, str], warn: Callable[[str], None]
) -> list[Server]:
    """Start each server that is not external, the slowest first: it becomes ready while the next is prepared."""
    prepare: dict[str, Callable[[], Server]] = {
        "seaweedfs": partial(seaweed.prepare, home),
        "postgres": partial(postgres.prepare, home, durable, warn),
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


def _rotate_logs(home: Path) -> None:
    """Rename the logs of the previous run, so that an error quotes only the log of this run."""
    for log in private.make_private(home / "logs").glob("*.log"):
        log.replace(log.with_suffix(".log.1"))
