"""The supervisor, with short shell programs."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from otcpipe.errors import StackFailed
from otcpipe.stack import Program, Server, Supervisor, child, restarts
from otcpipe.stack import supervisor as supervising


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    supervisor = Supervisor({})
    yield supervisor
    supervisor.stop(quick=True)


def shell(directory: Path, name: str, script: str) -> Program:
    return Program(name, ("/bin/sh", "-c", script), directory / f"{name}.log", {"PATH": os.environ["PATH"]})


def server(directory: Path, name: str, script: str) -> Server:
    return Server(name, ("/bin/sh", "-c", script), directory / f"{name}.log", {"PATH": os.environ["PATH"]})


def wait_for(path: Path, lines: int = 1) -> list[str]:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = path.read_text().splitlines() if path.exists() else []
        if len(found) >= lines:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{path} has not {lines} lines")


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def ends_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not has_ended(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return has_ended(pid)


def test_what_ends_while_it_is_awaited_fails_with_the_tail_of_its_log(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(shell(tmp_path, "one", "seq 100; echo no room; exit 7"))
    with pytest.raises(StackFailed, match=r"(?s)one ended with code 7 .*one\.log.*100\nno room") as failure:
        supervisor.wait_until_ready({"one": lambda: False})
    assert "50" not in str(failure.value).splitlines()


def test_what_is_never_ready_fails_when_the_time_is_over(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "READY_SECONDS", 0.2)
    supervisor.add(shell(tmp_path, "one", "echo thinking; exec sleep 60"))
    with pytest.raises(StackFailed, match=r"(?s)one was not ready within .*thinking"):
        supervisor.wait_until_ready({"one": lambda: False})


def test_a_server_that_says_that_it_needs_longer_is_given_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "READY_SECONDS", 0.2)
    monkeypatch.setattr(supervising, "SLOW_INTERVAL", 0.01)
    said, begun = list[str](), time.monotonic()
    supervisor = Supervisor({}, warn=said.append)
    try:
        slow = replace(server(tmp_path, "one", "echo it recovers; exec sleep 60"), starting="it recovers")
        supervisor.add(slow)
        supervisor.wait_until_ready({"one": lambda: time.monotonic() > begun + 0.6})
        assert said == ["one recovers what it had not written when it was killed, which may take minutes."]
        monkeypatch.setattr(child, "FRESH_SECONDS", 0.1)  # its log is older: it hangs
        with pytest.raises(StackFailed, match="one was not ready within"):
            supervisor.wait_until_ready({"one": lambda: False})
    finally:
        supervisor.stop(quick=True)


def test_a_program_that_does_not_exist_fails_by_name(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(StackFailed, match="ghost cannot be started.*/nowhere/ghost"):
        supervisor.add(Program("ghost", ("/nowhere/ghost",), tmp_path / "ghost.log", {}))


def test_what_died_is_started_again_its_stragglers_killed_and_the_restart_reported(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    supervisor.add(shell(tmp_path, "worker", f"sleep 60 & echo $! >> {pids}; wait"))
    [straggler] = wait_for(pids)
    first = supervisor.pid("worker")
    os.kill(first, signal.SIGKILL)
    until, restarts = threading.Event(), []

    def note(name: str, returncode: int) -> None:
        restarts.append((name, returncode))
        until.set()

    supervisor.watch(until, note)
    assert restarts == [("worker", -signal.SIGKILL)]
    assert supervisor.pid("worker") != first
    assert has_ended(int(straggler))


def test_a_program_that_keeps_dying_waits_longer_each_time_and_then_fails(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(restarts, "LONGEST_WAIT", 0.04)
    monkeypatch.setattr(supervising, "WATCH_INTERVAL", 0.005)
    times = tmp_path / "times"
    supervisor.add(shell(tmp_path, "worker", f"date +%s.%N >> {times}; echo cannot; exit 3"))
    with pytest.raises(StackFailed, match=r"(?s)worker died 8 times in 60 s.*worker\.log.*cannot"):
        supervisor.watch(threading.Event())
    started = [float(line) for line in times.read_text().splitlines()]
    waits = [after - before for before, after in itertools.pairwise(started)]
    assert len(started) == 8
    assert all(wait > least for wait, least in zip(waits, (0.01, 0.02, 0.04, 0.04), strict=False))


def test_workers_stop_before_servers_and_servers_in_the_order_they_were_added(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    order = tmp_path / "order"
    for add, name in ((server, "first"), (server, "second"), (shell, "worker")):
        script = f"trap 'sleep 0.1; echo {name} >> {order}; exit' TERM; echo up; while :; do sleep 0.02; done"
        supervisor.add(add(tmp_path, name, script))
        wait_for(tmp_path / f"{name}.log")
    closed = tmp_path / "closed"
    supervisor.after_stop.callback(closed.touch)
    supervisor.stop()
    assert order.read_text().split() == ["worker", "first", "second"]
    assert closed.exists()
    closed.unlink()
    supervisor.stop()
    assert not closed.exists()


def test_a_program_that_ignores_its_stop_signal_is_killed_with_its_group(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    command = ("/bin/sh", "-c", "trap '' TERM; sleep 60 & echo $!; wait; wait")
    log = tmp_path / "deaf.log"
    supervisor.add(Program("deaf", command, log, {"PATH": os.environ["PATH"]}, grace=0.3))
    [straggler] = wait_for(log)
    pid = supervisor.pid("deaf")
    before = time.monotonic()
    supervisor.stop()
    assert 0.3 <= time.monotonic() - before < 2
    assert has_ended(pid)
    assert ends_within(int(straggler), 1)


def test_a_program_can_only_be_started_by_the_main_thread(supervisor: Supervisor, tmp_path: Path) -> None:
    raised: list[str] = []

    def add() -> None:
        try:
            supervisor.add(shell(tmp_path, "one", "true"))
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=add)
    thread.start()
    thread.join()
    assert "main thread" in raised[0]


def test_a_program_dies_with_its_supervisor(tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib, time\n"
        "from otcpipe.stack import Program, Supervisor\n"
        "supervisor = Supervisor({})\n"
        "supervisor.add(Program('one', ('sleep', '60'), pathlib.Path(sys.argv[1]), dict(os.environ)))\n"
        "print(supervisor.pid('one'), flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "one.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert not has_ended(pid)
        process.kill()
    assert ends_within(pid, 2)
