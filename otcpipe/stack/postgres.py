"""PostgreSQL: one database, `otcpipe`, owned by a role that is not a superuser."""

import logging
import secrets
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from signal import SIGINT, SIGQUIT

from otcpipe.errors import StackFailed
from otcpipe.stack import account, binaries, ports, private
from otcpipe.stack.account import Account
from otcpipe.stack.postgres_upgrade import COMPLETE, Upgrade, major_of
from otcpipe.stack.program import Server, environment

LOGGER = logging.getLogger(__name__)
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # No socket: it would need a short path, and a killed supervisor would leave it behind.
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For tests: a power failure may destroy the cluster, kill -9 loses nothing that was committed.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}

MAY_CREATE_ROLES = "may_create_roles"  # a file beside the cluster
BUILTIN_SINCE = 17  # the first release with a built-in locale provider


def prepare(home: Path, durable: bool = True, inform: Callable[[str], None] = LOGGER.info) -> Server:
    """Create the cluster on the first start, and return the server. The caller must hold the lock of the home.

    A cluster of an older major release is copied to a new one; `inform` receives a sentence before that and after.
    """
    programs = binaries.postgres()
    directory = private.make_private(home / "postgres")
    owner = account.choose(programs / "postgres", directory)
    password = private.secret(directory / "password")
    cluster = directory / "cluster"
    for incomplete in directory.glob("new-*"):
        shutil.rmtree(incomplete)
    if cluster.exists() or (directory / COMPLETE).exists():
        if cluster.exists():
            _clear_stale_pid(cluster)
        Upgrade(programs, owner, directory, partial(_create, programs, owner, password), inform).run()
    else:
        _create(programs, owner, password, cluster)
    _clear_stale_pid(cluster)
    _allow_roles(programs, owner, cluster)
    port = ports.keep(home, "postgres")
    settings = {**SETTINGS, "port": str(port), **({} if durable else NOT_DURABLE)}
    return Server(
        name="postgres",
        command=(
            *owner.prefix(SIGQUIT.name.removeprefix("SIG")),
            *(str(programs / "postgres"), "-D", str(cluster)),
            *(f"--{name}={value}" for name, value in settings.items()),
        ),
        log=home / "logs" / "postgres.log",
        environment=environment(directory),
        directory=cluster,
        # A backend that still runs a long query would keep a new server from starting.
        sessions=(programs / "postgres").resolve(),
        user=owner.user,
        stop_signal=SIGINT,  # SIGTERM would wait for all clients
        death_signal=SIGQUIT,  # SIGKILL would leave shared memory behind
        quick_signal=SIGQUIT,
        grace=10.0,
        starting="the database system is ",  # starting up, or not yet accepting connections while it recovers
        provides={"OTCPIPE_DATABASE_URL": f"postgresql://otcpipe:{password}@127.0.0.1:{port}/otcpipe"},
    )


def _create(programs: Path, owner: Account, password: str, cluster: Path) -> None:
    """Create the cluster in a temporary directory and rename it when complete, so that no half is ever started."""
    draft = Path(tempfile.mkdtemp(prefix="new-", dir=cluster.parent))
    superuser = draft / "superuser"
    private.write(superuser, secrets.token_hex(20))  # never used again: roles are created below, offline
    if owner.user is not None:
        for path in (draft, superuser):
            shutil.chown(path, owner.user, owner.user)
    _run(owner, programs / "initdb", "-D", draft / "cluster", *_initdb_options(programs, owner, superuser))
    # Single-user mode reads one statement a line, and without exit_on_error continues after an error.
    statements = (
        f"create role otcpipe login createdb createrole password '{password}'",
        "create database otcpipe owner otcpipe",
        "revoke all on database otcpipe from public",
    )
    # Statements are not logged, since one contains the password.
    options = ("-c", "exit_on_error=on", "-c", "log_min_error_statement=panic")
    single = (programs / "postgres", "--single", "-D", draft / "cluster", *options, "postgres")
    _run(owner, *single, text="\n".join(statements) + "\n")
    (cluster.parent / MAY_CREATE_ROLES).touch()
    (draft / "cluster").rename(cluster)
    shutil.rmtree(draft)


def _allow_roles(programs: Path, owner: Account, cluster: Path) -> None:
    """Let the role otcpipe of a cluster that an older release made create the role that only reads."""
    marker = cluster.parent / MAY_CREATE_ROLES
    if not marker.exists():
        single = (programs / "postgres", "--single", "-D", cluster, "-c", "exit_on_error=on", "postgres")
        _run(owner, *single, text="alter role otcpipe createrole\n")
        marker.touch()


def _initdb_options(programs: Path, owner: Account, superuser: Path) -> list[str]:
    """Return options for the same sort order on every system; before version 17 that of the C library's "C"."""
    major = major_of(owner, programs)
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if major >= BUILTIN_SINCE else []
    access = ["-U", "postgres", "-A", "scram-sha-256", f"--pwfile={superuser}"]
    return [*access, "-E", "UTF8", "--no-locale", *builtin, "--no-instructions"]


def _run(owner: Account, *command: str | Path, text: str = "") -> str:
    done = owner.run(*command, text=text)
    if done.returncode != 0:
        raise StackFailed(f"{Path(command[0]).name} failed: {done.stdout.strip()[-2000:]}")
    return done.stdout


def _clear_stale_pid(cluster: Path) -> None:
    """Remove the pid file of a killed server: if another process has the pid now, the server would not start.

    Raises StackFailed if a PostgreSQL that otcpipe did not start runs in the cluster.
    """
    file = cluster / "postmaster.pid"
    if not file.exists():
        return
    pid = file.read_text(encoding="utf-8").split("\n", 1)[0]
    # Otcpipe did not start it, since the caller holds the lock.
    if _is_working_in(pid, cluster):
        raise StackFailed(f"a PostgreSQL that otcpipe did not start runs in {cluster}: stop process {pid}")
    if Path("/proc").exists():
        file.unlink()


def _is_working_in(pid: str, directory: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == directory
    except OSError:  # it has ended, or belongs to another user
        return False
