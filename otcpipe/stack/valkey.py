"""Valkey, the broker's server: everything in memory, and in a file that grows by what is appended."""

from pathlib import Path
from signal import SIGKILL

from otcpipe.stack import binaries, private
from otcpipe.stack.program import Server, environment, free_ports

# The password stands in this file because a command line is public. Paths are relative to the
# directory it runs in, which needs no quoting.
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
"""


def prepare(home: Path) -> Server:
    """Write its configuration; the password of an earlier start stays, the port is new."""
    program = binaries.valkey()
    directory = private.make_directory(home / "valkey")
    password = private.secret(directory / "password")
    [port] = free_ports(1)
    private.write(directory / "valkey.conf", CONFIGURATION.format(port=port, password=password))
    return Server(
        name="valkey",
        command=(str(program), "valkey.conf"),
        log=home / "logs" / "valkey.log",
        environment=environment(directory),
        directory=directory,
        death_signal=SIGKILL,
        grace=10.0,
        provides={"OTCPIPE_REDIS_URL": f"redis://:{password}@127.0.0.1:{port}/0"},
    )
