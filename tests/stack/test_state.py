"""The state file and the lock."""

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from otcpipe.errors import StackBusy, StackFailed
from otcpipe.stack import kernel, state

SECRET = {"OTCPIPE_REDIS_URL": "redis://:sesame@127.0.0.1:1/0"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_state_file_is_private_even_under_a_lax_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        state.write(tmp_path / "home", SECRET)
    finally:
        os.umask(before)
    assert mode(tmp_path / "home") == 0o700
    assert mode(tmp_path / "home" / "stack.json") == 0o600
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["stack.json"]


def test_an_existing_readable_file_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    (tmp_path / "stack.json").touch(mode=0o666)
    state.write(tmp_path, SECRET)
    assert mode(tmp_path / "stack.json") == 0o600


def test_what_is_written_is_read_back_and_does_not_show_its_secrets(tmp_path: Path) -> None:
    state.write(tmp_path, SECRET)
    found = state.read(tmp_path)
    assert found is not None
    assert (found.pid, found.environment) == (os.getpid(), SECRET)
    assert "sesame" not in repr(found)


def test_no_stack_is_none_and_removing_it_twice_is_fine(tmp_path: Path) -> None:
    state.write(tmp_path, SECRET)
    state.remove(tmp_path)
    state.remove(tmp_path)
    assert state.read(tmp_path) is None


def test_a_mangled_state_file_names_itself(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(StackFailed, match=r"stack\.json is not a state file"):
        state.read(tmp_path)


def test_only_the_process_that_wrote_it_counts_as_alive(tmp_path: Path) -> None:
    state.write(tmp_path, SECRET)
    found = state.read(tmp_path)
    assert found is not None and found.started is not None
    assert state.is_alive(found)
    assert not state.is_alive(replace(found, started=found.started - 1)), "a reused pid"
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not state.is_alive(replace(found, pid=ended.pid))


def test_a_start_time_survives_a_program_name_with_a_parenthesis(tmp_path: Path) -> None:
    script = tmp_path / "a) 1 (b"
    script.symlink_to("/bin/sleep")
    process = subprocess.Popen([script, "5"])
    try:
        found = kernel.start_time(process.pid)
        ours = kernel.start_time(os.getpid())
    finally:
        process.kill()
        process.wait()
    assert found is not None and ours is not None
    assert found >= ours


def test_a_home_is_locked_for_one_stack_until_the_lock_is_closed(tmp_path: Path) -> None:
    with state.lock(tmp_path):
        state.write(tmp_path, SECRET)
        with pytest.raises(StackBusy, match=f"already runs in {tmp_path}.*otcpipe down"):
            state.lock(tmp_path)
    state.lock(tmp_path).close()
    assert mode(tmp_path / "lock") == 0o600


def test_a_server_that_outlives_its_supervisor_keeps_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "LOCK_SECONDS", 0.2)
    with state.lock(tmp_path) as lock:
        server = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, pass_fds=[lock.fileno()])
    with server:
        with pytest.raises(StackBusy, match="lsof"):
            state.lock(tmp_path)
        server.kill()
    state.lock(tmp_path).close()
