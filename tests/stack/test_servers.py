"""The three servers: what they store, what they survive, and which clients they refuse."""

import os
import re
import secrets
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import minio
import psycopg
import pytest
import redis

from otcpipe.errors import StackBusy, StackFailed
from otcpipe.stack import Supervisor, account, binaries, ports, start_servers, state
from tests.stack.conftest import KEPT, READY, inside, s3, store_everywhere, stored_everywhere

NAMES = ("postgres", "valkey", "seaweedfs")


def listening(pids: list[int]) -> set[tuple[str, int]]:
    """The TCP addresses that these processes listen on, as the kernel writes them."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                inodes.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                found.add((address, int(port, 16)))
    return found


def sockets_of(home: Path) -> list[Path]:
    """What SeaweedFS puts outside its home, as its last start there noted it."""
    options = (home / "seaweedfs" / "volumes" / "mini.options").read_text()
    found = re.findall(r"(\w+)\.port\.grpc=(\d+)", options)
    return [path for part, port in found if (path := Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock")).exists()]


def test_stopped_and_started_again_everything_stored_is_there(tmp_path: Path) -> None:
    first = start_servers(tmp_path / "home", environ={}, ready=READY)
    home = (tmp_path / "home").resolve()
    try:
        store_everywhere(first.environment)
        with pytest.raises(StackBusy):
            start_servers(home, environ={}, ready=READY)
    finally:
        first.stop()
    assert inside(home) == []
    assert state.read(home) is None
    second = start_servers(home, environ={}, ready=READY)
    try:
        assert stored_everywhere(second.environment) == KEPT
        assert first.environment["OTCPIPE_S3_SECRET_KEY"] == second.environment["OTCPIPE_S3_SECRET_KEY"]
    finally:
        second.stop(quick=True)


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_finds_everything(tmp_path: Path) -> None:
    home = tmp_path / "home"
    script = (
        "import sys, pathlib, time\n"
        "from otcpipe.stack import start_servers\n"
        "from tests.stack.conftest import READY, store_everywhere\n"
        "supervisor = start_servers(pathlib.Path(sys.argv[1]), environ={}, ready=READY)\n"
        "store_everywhere(supervisor.environment)\n"
        "time.sleep(1.2)  # appendfsync everysec\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, home], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert len(inside(home)) > 3
        process.kill()
    sockets = sockets_of(home)
    assert len(sockets) == 5
    dead = state.read(home)
    assert dead is not None
    assert not state.is_alive(dead)
    supervisor = start_servers(home, environ={}, ready=READY)
    try:
        assert stored_everywhere(supervisor.environment) == KEPT
    finally:
        supervisor.stop(quick=True)
    assert inside(home) == []
    assert not [path for path in sockets if path.exists()]


def test_a_stale_pid_file_whose_pid_is_reused_does_not_prevent_a_start(tmp_path: Path, stack: Supervisor) -> None:
    external = {"OTCPIPE_REDIS_URL": "redis://elsewhere", "OTCPIPE_S3_ENDPOINT": "http://elsewhere"}
    start_servers(tmp_path, durable=False, environ=external, ready=READY).stop()
    # The other stack's server stands for the process that was given the pid.
    stale = f"{stack.pid('postgres')}\n{tmp_path}/postgres/cluster\n1\n1\n\n127.0.0.1\n1 1\nready\n"
    (tmp_path / "postgres" / "cluster" / "postmaster.pid").write_text(stale)
    start_servers(tmp_path, durable=False, environ=external, ready=READY).stop(quick=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_server_restarts_at_the_same_address(stack: Supervisor, name: str) -> None:
    before = stack.pid(name)
    ports = listening([before])
    os.kill(before, signal.SIGKILL)
    until, restarted = threading.Event(), []

    def note(name: str, returncode: int) -> None:
        restarted.append((name, returncode))
        until.set()

    stack.watch(until, note)
    stack.wait_until_ready({name: lambda: READY[name](stack.environment)})
    assert restarted[0] == (name, -signal.SIGKILL)
    assert stack.pid(name) != before
    deadline = time.monotonic() + 5  # SeaweedFS serves S3 before all its ports are open
    while listening([stack.pid(name)]) != ports and time.monotonic() < deadline:
        time.sleep(0.02)
    assert ports and listening([stack.pid(name)]) == ports


def test_a_killed_postgres_restarts_at_once_though_a_backend_is_busy(stack: Supervisor) -> None:
    """A busy backend notices the death late, and PostgreSQL does not start while it runs."""
    with closing(psycopg.connect(stack.environment["OTCPIPE_DATABASE_URL"])) as connection:
        connection.pgconn.send_query(b"select count(*) from generate_series(1, 1000000000)")
        time.sleep(0.3)
        os.kill(stack.pid("postgres"), signal.SIGKILL)
        until, restarts = threading.Event(), []
        threading.Timer(2, until.set).start()
        stack.watch(until, lambda name, returncode: restarts.append(name))
    assert restarts == ["postgres"]
    assert READY["postgres"](stack.environment)


def test_postgres_refuses_no_password_and_a_wrong_one(stack: Supervisor) -> None:
    url = stack.environment["OTCPIPE_DATABASE_URL"]
    for password in ("", "wrong"):
        for user in ("otcpipe", "postgres"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(url, user=user, password=password)


def test_the_role_owns_its_database_and_is_no_superuser(stack: Supervisor) -> None:
    query = (
        "select rolname, rolsuper, rolcreatedb, datcollate, datlocale"
        " from pg_database join pg_roles on pg_roles.oid = datdba where datname = current_database()"
    )
    with psycopg.connect(stack.environment["OTCPIPE_DATABASE_URL"]) as connection:
        assert connection.execute(query).fetchone() == ("otcpipe", False, True, "C", "C.UTF-8")


def test_a_cluster_of_an_older_release_may_create_the_role_that_reads(tmp_path: Path) -> None:
    external = {"OTCPIPE_REDIS_URL": "redis://elsewhere", "OTCPIPE_S3_ENDPOINT": "http://elsewhere"}
    query = "select rolcreaterole from pg_roles where rolname = 'otcpipe'"
    start_servers(tmp_path, durable=False, environ=external, ready=READY).stop()
    program, folder = binaries.postgres() / "postgres", tmp_path / "postgres"
    owner = account.choose(program, folder)
    single = (program, "--single", "-D", folder / "cluster", "postgres")
    assert owner.run(*single, text="alter role otcpipe nocreaterole\n").returncode == 0  # as an older release made it
    (folder / "may_create_roles").unlink()
    supervisor = start_servers(tmp_path, durable=False, environ=external, ready=READY)
    try:
        with psycopg.connect(supervisor.environment["OTCPIPE_DATABASE_URL"]) as connection:
            assert connection.execute(query).fetchone() == (True,)
    finally:
        supervisor.stop(quick=True)


def test_valkey_refuses_no_password_and_a_wrong_one(stack: Supervisor) -> None:
    port = stack.environment["OTCPIPE_REDIS_URL"].rpartition(":")[2]
    for credentials in ("", ":wrong@"):
        refused = pytest.raises((redis.AuthenticationError, redis.ResponseError), match="(?i)auth|password")
        with redis.Redis.from_url(f"redis://{credentials}127.0.0.1:{port}") as client, refused:
            client.set("a", "b")


def test_s3_refuses_no_keys_a_wrong_one_and_an_unknown_bucket(stack: Supervisor) -> None:
    bucket = stack.environment["OTCPIPE_S3_BUCKET"]
    with pytest.raises(minio.S3Error) as anonymous:
        list(
            s3(stack.environment, OTCPIPE_S3_ACCESS_KEY="", OTCPIPE_S3_SECRET_KEY="").list_objects(bucket_name=bucket)
        )
    with pytest.raises(minio.S3Error) as wrong:
        s3(stack.environment, OTCPIPE_S3_SECRET_KEY="wrong").list_buckets()
    with pytest.raises(minio.S3Error) as unknown:
        list(s3(stack.environment).list_objects(bucket_name="otherwise"))
    codes = [error.value.code for error in (anonymous, wrong, unknown)]
    assert codes == ["AccessDenied", "SignatureDoesNotMatch", "NoSuchBucket"]


def test_servers_listen_on_loopback_only(stack: Supervisor, home: Path) -> None:
    found = listening(inside(home))
    assert {address for address, _ in found} == {"0100007F"}
    assert len(found) == 12


def test_no_secret_is_on_a_command_line_or_in_a_file_that_others_can_read(stack: Supervisor, home: Path) -> None:
    files = [*home.glob("*/*password"), *home.glob("*/*_key")]
    words = {path.read_text() for path in files}
    assert len(words) == 6
    lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in inside(home)]
    assert len(lines) > 3
    assert not [word for word in words for line in lines if word in line]
    for path in home.rglob("*"):
        if path.is_file() and any(word.encode() in path.read_bytes() for word in words):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert {stat.S_IMODE(path.stat().st_mode) for path in (home / "logs").iterdir()} == {0o600}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_folders_in_the_home_that_were_open_to_others_are_closed(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("postgres", "valkey", "seaweedfs", "seaweedfs/volumes", "logs")]
    for folder in folders:
        folder.mkdir()
        folder.chmod(0o777)
    start_servers(tmp_path, durable=False, environ={}, ready=READY).stop(quick=True)
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_servers_see_nothing_of_the_users_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTCPIPE_FINRA_CLIENT_SECRET", "sesame")
    external = {"OTCPIPE_DATABASE_URL": "postgresql://elsewhere", "OTCPIPE_REDIS_URL": "redis://elsewhere"}
    supervisor = start_servers(tmp_path, environ=external, ready=READY)
    try:
        # The other two write their process title over it.
        seen = Path(f"/proc/{supervisor.pid('seaweedfs')}/environ").read_text()
    finally:
        supervisor.stop(quick=True)
    assert "GOMEMLIMIT" in seen
    assert "sesame" not in seen


def test_a_server_that_the_environment_names_is_passed_through_and_not_started(tmp_path: Path) -> None:
    external = {
        "OTCPIPE_DATABASE_URL": "postgresql://elsewhere/db",
        "OTCPIPE_REDIS_URL": "redis://elsewhere",
        "OTCPIPE_S3_ENDPOINT": "https://elsewhere",
        "OTCPIPE_S3_BUCKET": "theirs",
    }
    supervisor = start_servers(tmp_path, environ={**external, "HOME": "/root"}, ready={})
    assert supervisor.environment == external
    assert inside(tmp_path) == []
    found = state.read(tmp_path)
    assert found is not None and found.environment == external
    supervisor.stop()


def test_two_stacks_run_side_by_side(stack: Supervisor, tmp_path: Path) -> None:
    other = start_servers(tmp_path / "other", durable=False, environ={}, ready=READY)
    try:
        mine, theirs = set(stack.environment.values()), set(other.environment.values())
        assert mine & theirs == {"otcpipe", "us-east-1"}
        assert all(is_ready(stack.environment) for is_ready in READY.values())
        with pytest.raises(minio.S3Error):
            access_key = stack.environment["OTCPIPE_S3_ACCESS_KEY"]
            s3(other.environment, OTCPIPE_S3_ACCESS_KEY=access_key).list_buckets()
    finally:
        other.stop(quick=True)
    assert all(is_ready(stack.environment) for is_ready in READY.values())


def test_a_server_that_cannot_start_stops_the_others_and_shows_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        keep = ports.keep
        monkeypatch.setattr(ports, "keep", lambda home, name: port if name == "valkey" else keep(home, name))
        with pytest.raises(StackFailed, match=rf"(?s)valkey ended .*valkey\.log.*{port}.*in use"):
            start_servers(tmp_path, durable=False, environ={}, ready=READY)
    assert inside(tmp_path) == []
    state.lock(tmp_path).close()


def test_a_quick_stop_leaves_no_shared_memory_and_no_socket(tmp_path: Path) -> None:
    supervisor = start_servers(tmp_path, durable=False, environ={}, ready=READY)
    maps = Path(f"/proc/{supervisor.pid('postgres')}/maps").read_text()
    shared = [Path(path) for path in set(re.findall(r"/dev/shm/\S+", maps))]
    assert shared and all(path.exists() for path in shared)
    url = supervisor.environment["OTCPIPE_DATABASE_URL"]
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("create table a as select generate_series(1, 1000) as n")
        started = time.monotonic()
        supervisor.stop(quick=True)
    assert time.monotonic() - started < 3, "as slow as an orderly stop"
    assert not [path for path in shared if path.exists()]
    assert sockets_of(tmp_path) == []


def test_each_home_has_new_credentials(stack: Supervisor, home: Path) -> None:
    words = [path.read_text() for path in (*home.glob("*/password"), *home.glob("*/*_key"))]
    assert {len(word) for word in words} == {40}
    assert len(set(words)) == len(words)
    assert secrets.token_hex(20) not in words
