"""Another user of the machine gets nothing from a running stack: from no port, file or process."""

import io
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import redis

from otcpipe.stack import state
from otcpipe.stack.account import NOBODY
from tests.stack import strangers
from tests.stack.conftest import s3
from tests.stack.test_servers import listening

BODY, NAME = b"the body that strangers never see", "the-name-that-strangers-never-see"


def descendants(pid: int) -> list[int]:
    """The processes below this one, whatever their session."""
    parents = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for parent in found:
        found += [child for child, its in parents.items() if its == parent]
    return found


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The home of a stack that `otcpipe up` runs, with two objects stored in it: anybody may list it."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name).resolve()
        home.chmod(0o755)
        with running(home):
            yield home


@contextmanager
def running(home: Path) -> Iterator[None]:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("OTCPIPE_")}
    environ |= {"OTCPIPE_HOME": str(home), "OTCPIPE_FINRA_URL": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "otcpipe", "up", "--workers", "1"]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert "Ready" in process.stdout.readline()
        found = state.read(home)
        assert found is not None
        for name in ("kept", NAME):
            s3(found.environment).put_object(
                bucket_name="otcpipe", object_name=name, data=io.BytesIO(BODY), length=len(BODY)
            )
        yield
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def stack(home: Path) -> state.State:
    found = state.read(home)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def processes(stack: state.State) -> list[int]:
    """All processes of the stack, once all its ports are open: PostgreSQL, Valkey, ten of SeaweedFS, telemetry."""
    deadline = time.monotonic() + 30
    while len(listening(found := descendants(stack.pid))) < 13:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def ports(processes: list[int]) -> list[int]:
    found = listening(processes)
    assert {address for address, _ in found} == {"0100007F"}
    return sorted(port for _, port in found)


@pytest.fixture(scope="module")
def inner(processes: list[int]) -> dict[str, int]:
    """SeaweedFS's ports by their flag."""
    lines = [Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in processes]
    [flags] = [line for line in lines if "mini" in line]
    return {flag[1:]: int(port) for flag, _, port in (word.partition("=") for word in flags) if ".port" in flag}


@pytest.fixture(scope="module")
def secrets(home: Path, stack: state.State) -> set[str]:
    files = [*home.glob("*/*password"), *home.glob("*/*_key")]
    words = {path.read_text() for path in files}
    assert len(words) == 6
    assert stack.environment["OTCPIPE_S3_SECRET_KEY"] in words
    return words


def test_no_port_answers_a_stranger_with_a_path_a_secret_or_an_object(
    home: Path, ports: list[int], secrets: set[str], inner: dict[str, int]
) -> None:
    assert len(ports) == 13
    forbidden = [str(home), *secrets, BODY.decode(), NAME, "-----BEGIN"]
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(ports, pool.map(strangers.pages, ports), strict=True))
    for port, pages in answers.items():
        for page, answer in pages.items():
            assert not [word for word in forbidden if word.encode() in answer], (port, page, answer)
    for name, port in inner.items():
        if name.endswith(".port") and not name.startswith("s3"):
            assert set(answers[port].values()) == {strangers.REFUSAL, b""}, name
    outer = answers[inner["s3.port"]]
    given = {page for page, answer in outer.items() if b" 200 OK" in answer.split(b"\r\n", 1)[0]}
    assert given <= {f"{method} /healthz None" for method in ("GET", "POST", "DELETE")} | {
        f"{method} /status None" for method in ("GET", "POST", "DELETE")
    }


def test_no_grpc_port_speaks_to_a_stranger(inner: dict[str, int]) -> None:
    grpc = [port for name, port in inner.items() if name.endswith(".grpc")]
    assert len(grpc) == 5
    for port in grpc:
        for protocol in (None, "h2"):
            answer = strangers.ask(port, strangers.HTTP2, protocol) or b""
            assert answer[3:4] != b"\x04", "a SETTINGS frame, which opens a connection"
            assert len(answer) < 10


def test_seaweedfs_own_tools_give_a_stranger_nothing_and_delete_nothing(
    stack: state.State, inner: dict[str, int]
) -> None:
    addresses = {
        part: f"127.0.0.1:{inner[f'{part}.port']}.{inner[f'{part}.port.grpc']}" for part in ("master", "filer")
    }
    filer = f"http://127.0.0.1:{inner['filer.port']}"
    shell = (
        "volume.list\ncluster.ps\nfs.ls -l /buckets/otcpipe\nfs.cat /buckets/otcpipe/kept\ns3.configure\n"
        "fs.meta.cat /buckets/otcpipe/kept\nlock\nfs.rm -rf /buckets/otcpipe/kept\ns3.bucket.delete -name otcpipe\n"
        f"volume.delete -node 127.0.0.1:{inner['volume.port']} -volumeId 1\nexit\n"
    )
    with strangers.place() as place:
        weed = str(place / "weed")
        (place / "file").write_text("from a stranger")
        (place / "file").chmod(0o644)
        commands = [
            [weed, "shell", f"-master={addresses['master']}", f"-filer={addresses['filer']}"],
            *([weed, "backup", f"-server={addresses['master']}", f"-volumeId={number}"] for number in range(1, 8)),
            [weed, "filer.cat", f"{filer}/buckets/otcpipe/kept"],
            [weed, "filer.meta.tail", f"-filer={addresses['filer']}", "-timeAgo=1h"],
            [weed, "filer.copy", str(place / "file"), f"{filer}/buckets/otcpipe/stranger"],
            [weed, "upload", f"-master={addresses['master']}", str(place / "file")],
            [weed, "download", f"-server={addresses['master']}", "1,0100000000"],
        ]
        with ThreadPoolExecutor(4) as pool:
            said = list(pool.map(lambda command: strangers.run(place, *command, text=shell), commands))
        taken = [path for path in (place / "home").rglob("*") if path.is_file() and path.stat().st_size]
        assert not [path for path in taken if BODY in path.read_bytes()]
        assert not list((place / "home").rglob("*.dat"))
    for command, output in zip(commands, said, strict=True):
        assert BODY.decode() not in output and NAME not in output, command
        assert not re.search(r"fileUrl|DataNode|volume:\d|id:\d+ +size", output), (command, output)
    client = s3(stack.environment)
    assert [entry.object_name for entry in client.list_objects(bucket_name="otcpipe")] == ["kept", NAME]
    assert client.get_object(bucket_name="otcpipe", object_name="kept").read() == BODY


def test_no_unix_socket_of_the_stack_lets_a_stranger_in(processes: list[int]) -> None:
    inodes = {str(link.readlink()) for pid in processes for link in Path(f"/proc/{pid}/fd").iterdir()}
    found = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    sockets = [Path(words[7]) for words in found if len(words) > 7 and f"socket:[{words[6]}]" in inodes]
    sockets = [path for path in sockets if path.is_absolute() and path.exists()]
    assert len(sockets) >= 5
    for path in sockets:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_postgres_and_valkey_refuse_clients_without_a_password(stack: state.State) -> None:
    url = stack.environment["OTCPIPE_DATABASE_URL"]
    for user in ("otcpipe", "postgres"):
        for password in ("", "otcpipe", "postgres"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(url, user=user, password=password)
    host = stack.environment["OTCPIPE_REDIS_URL"].rpartition("@")[2]
    with redis.Redis.from_url(f"redis://{host}") as client:
        for command in ("KEYS *", "FLUSHALL", "CONFIG GET *", "INFO", "DEBUG SLEEP 0", "EVAL return 0"):
            with pytest.raises((redis.AuthenticationError, redis.ResponseError), match="(?i)auth"):
                client.execute_command(*command.split())


def test_no_command_line_of_the_machine_holds_a_secret(processes: list[int], secrets: set[str]) -> None:
    assert len(processes) > 8
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (process / "cmdline").read_text(errors="replace")
            assert not [word for word in secrets if word in line], process


@pytest.mark.parametrize("user", [strangers.STRANGER, NOBODY])
def test_no_file_and_no_environment_is_readable_or_writable_by_a_stranger(
    home: Path, processes: list[int], user: int
) -> None:
    files = [str(path) for path in (*home.glob("*"), *home.glob("*/*"))]  # what is closed there is closed below
    environs = [f"/proc/{pid}/environ" for pid in processes]
    assert len(files) > 20
    script = (
        "while read -r path; do"
        ' if head -c 1 "$path" >/dev/null 2>&1 || ls "$path/" >/dev/null 2>&1; then echo readable "$path"; fi;'
        ' if [ -w "$path" ]; then echo writable "$path"; fi;'
        " done; echo asked"
    )
    with strangers.place() as place:
        if os.geteuid() == 0:
            said = strangers.run(place, "sh", "-c", script, text="\n".join([*files, *environs, ""]), user=user)
            assert said == "asked\n"
    assert {path.name for path in home.iterdir() if path.stat().st_mode & 0o077} == set()
