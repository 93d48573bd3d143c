"""Valkey, the broker's server: data in memory, and in an append-only file."""

from pathlib import Path
from signal import SIGKILL

from otcpipe.stack import binaries, ports, private
from otcpipe.stack.program import Server, environment

# The password is in this file, since other users can read command lines. Paths are relative to the
# working directory, so they need no quoting.
CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir .
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
daemonize no
appenddirname {append_only}
"""
APPEND_ONLY = "appendonlydir"


def prepare(home: Path) -> Server:
    """Write the configuration and return the server; password and port stay over restarts."""
    program = binaries.valkey()
    directory = private.make_private(home / "valkey")
    password = private.secret(directory / "password")
    port = ports.keep(home, "valkey")
    configuration = CONFIGURATION.format(port=port, password=password, append_only=APPEND_ONLY)
    private.write(directory / "valkey.conf", configuration)
    return Server(
        name="valkey",
        command=(str(program), "valkey.conf"),
        log=home / "logs" / "valkey.log",
        environment=environment(directory),
        directory=directory,
        death_signal=SIGKILL,
        disposable=directory / APPEND_ONLY,
        grace=10.0,
        provides={"OTCPIPE_REDIS_URL": f"redis://:{password}@127.0.0.1:{port}/0"},
    )
