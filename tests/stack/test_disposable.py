"""A damaged append-only file does not stop Valkey: it is set aside, and nothing is deleted."""

import os
import random
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from otcpipe.errors import StackFailed
from otcpipe.stack import Supervisor, disposable, ports, start_servers
from tests.stack.conftest import READY

ONLY_VALKEY = {"OTCPIPE_DATABASE_URL": "postgresql://elsewhere", "OTCPIPE_S3_ENDPOINT": "http://elsewhere"}
NOISE = random.Random(1).randbytes(200)


@contextmanager
def running(home: Path, warnings: list[str]) -> Iterator[Supervisor]:
    supervisor = start_servers(home, environ=ONLY_VALKEY, ready=READY, warn=warnings.append)
    try:
        yield supervisor
    finally:
        supervisor.stop()


def client(supervisor: Supervisor) -> redis.Redis:
    return redis.Redis.from_url(supervisor.environment["OTCPIPE_REDIS_URL"])


def fill(home: Path) -> Path:
    """The directory of the append-only file of a Valkey that was used and stopped."""
    with running(home, []) as supervisor, client(supervisor) as redis_client:
        for number in range(200):
            redis_client.set(f"key{number}", "value" * 10)
    return home / "valkey" / "appendonlydir"


def change(name: str, new: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(directory: Path) -> None:
        [path] = directory.glob(name)
        path.write_bytes(new(path.read_bytes()))

    return damage


def remove(name: str) -> Callable[[Path], None]:
    def damage(directory: Path) -> None:
        [path] = directory.glob(name)
        path.unlink()

    return damage


def make_a_file_of_it(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.write_text("no directory")


DAMAGES = {
    "garbage at the end": change("*.incr.aof", lambda text: text + NOISE),
    "zeros at the end, after a power cut": change("*.incr.aof", lambda text: text + bytes(4096)),
    "garbage in the middle": change("*.incr.aof", lambda text: text[:3000] + NOISE + text[3200:]),
    "a cut in the middle": change("*.incr.aof", lambda text: text[:3000] + text[3100:]),
    "a command that does not exist": change("*.incr.aof", lambda text: text + b"*1\r\n$4\r\nNOPE\r\n"),
    "a torn base": change("*.base.rdb", lambda text: text[:20]),
    "garbage for a base": change("*.base.rdb", lambda text: NOISE),
    "no base": remove("*.base.rdb"),
    "no increment": remove("*.incr.aof"),
    "an empty manifest": change("*.manifest", lambda text: b""),
    "garbage for a manifest": change("*.manifest", lambda text: NOISE),
    "a torn manifest": change("*.manifest", lambda text: text[:-8]),
    "a file in place of the directory": make_a_file_of_it,
}


@pytest.mark.parametrize("name", DAMAGES)
def test_files_that_valkey_does_not_start_with_are_set_aside_with_a_warning(name: str, tmp_path: Path) -> None:
    directory = fill(tmp_path)
    DAMAGES[name](directory)
    before = contents(directory)
    warnings: list[str] = []
    with running(tmp_path, warnings) as supervisor, client(supervisor) as redis_client:
        assert redis_client.dbsize() == 0
        redis_client.set("new", "message")
    [aside] = directory.parent.glob("appendonlydir.damaged-*")
    assert contents(aside) == before
    [warning] = warnings
    assert str(aside) in warning and "otcpipe reconcile" in warning
    with running(tmp_path, warnings) as supervisor, client(supervisor) as redis_client:
        assert redis_client.get("new") == b"message"
    assert len(warnings) == 1


def contents(path: Path) -> dict[str, bytes]:
    files = path.iterdir() if path.is_dir() else [path]
    return {file.name if path.is_dir() else "": file.read_bytes() for file in files}


def test_a_torn_tail_costs_no_more_than_the_last_command(tmp_path: Path) -> None:
    """What kill -9 or a power cut leaves; Valkey cuts it off by itself."""
    change("*.incr.aof", lambda text: text[:-17])(fill(tmp_path))
    warnings: list[str] = []
    with running(tmp_path, warnings) as supervisor, client(supervisor) as redis_client:
        assert redis_client.dbsize() == 199
    assert warnings == []


def test_a_valkey_killed_while_its_file_is_damaged_restarts_without_it(tmp_path: Path) -> None:
    warnings: list[str] = []
    with running(tmp_path, warnings) as supervisor:
        with client(supervisor) as redis_client:
            redis_client.set("key", "value")
        directory = tmp_path / "valkey" / "appendonlydir"
        os.kill(supervisor.pid("valkey"), signal.SIGKILL)
        change("*.incr.aof", lambda text: NOISE)(directory)
        until = threading.Event()
        threading.Timer(3, until.set).start()
        supervisor.watch(until)
        with client(supervisor) as redis_client:
            assert redis_client.dbsize() == 0
    assert len(warnings) == 1
    assert len(list(directory.parent.glob("appendonlydir.damaged-*"))) == 1


def test_a_healthy_valkey_that_is_killed_repeatedly_keeps_its_file(tmp_path: Path) -> None:
    warnings: list[str] = []
    with running(tmp_path, warnings) as supervisor:
        with client(supervisor) as redis_client:
            redis_client.set("key", "value")
        time.sleep(1.2)  # appendfsync everysec
        for _ in range(3):
            os.kill(supervisor.pid("valkey"), signal.SIGKILL)
            until = threading.Event()
            supervisor.watch(until, lambda name, code, until=until: until.set())  # type: ignore[misc]
        supervisor.wait_until_ready({"valkey": lambda: READY["valkey"](supervisor.environment)})
        with client(supervisor) as redis_client:
            assert redis_client.get("key") == b"value"
    assert warnings == []


def test_files_that_were_not_the_reason_are_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = fill(tmp_path)
    before = contents(directory)
    warnings: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "keep", lambda home, name: port)
        with pytest.raises(StackFailed, match=rf"(?s)valkey ended .*{port}.*in use"), running(tmp_path, warnings):
            pass
    assert contents(directory) == before
    assert list(directory.parent.glob("appendonlydir.damaged-*")) == []


def test_nothing_is_overwritten_when_more_is_set_aside_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    asides = []
    for number in range(3):
        path.write_text(str(number))
        asides.append(disposable.set_aside(path))
    assert disposable.set_aside(path) is None
    assert [aside.read_text() for aside in asides if aside] == ["0", "1", "2"]
