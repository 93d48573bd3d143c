"""The state file, by which other commands find the stack that runs in a home."""

import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from otcpipe.errors import StackBusy, StackFailed
from otcpipe.stack import kernel, private

# How long a lock may outlive its supervisor: the servers hold it too, and die a moment later.
LOCK_SECONDS = 5.0


@dataclass(frozen=True)
class State:
    """A running stack: pid of its supervisor, start time of that process (None without /proc), its variables."""

    pid: int
    started: int | None
    environment: dict[str, str] = field(repr=False)


def write(home: Path, environment: Mapping[str, str]) -> None:
    """Write the state file of the stack that this process supervises."""
    pid = os.getpid()
    state = State(pid, kernel.start_time(pid), dict(environment))
    private.write(private.make_directory(home) / "stack.json", json.dumps(asdict(state), indent=2) + "\n")


def read(home: Path) -> State | None:
    """Return the stack of the state file, running or not; None without a file. Raises StackFailed if invalid."""
    path = home / "stack.json"
    try:
        return State(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise StackFailed(f"{path} is not a state file: remove it, then run `otcpipe up`") from error


def remove(home: Path) -> None:
    """Remove the state file, if it exists."""
    (home / "stack.json").unlink(missing_ok=True)


def is_alive(state: State) -> bool:
    """Return whether the supervisor still runs; another process with its former pid does not count."""
    try:
        os.kill(state.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # the process exists and belongs to another user
    return kernel.start_time(state.pid) == state.started


def lock(home: Path) -> TextIO:
    """Lock the home for one stack, until the returned file is closed here and in every server.

    Servers inherit the file, so that no second stack starts while servers outlive their supervisor. Raises StackBusy.
    """
    file = open(private.make_directory(home) / "lock", "a", encoding="utf-8", opener=private.opener)  # noqa: SIM115 - stays open
    deadline = time.monotonic() + LOCK_SECONDS
    while not _try_lock(file):
        state = read(home)
        if (state and is_alive(state)) or time.monotonic() > deadline:
            file.close()
            raise StackBusy(
                f"a stack already runs in {home}: `otcpipe down` stops it"
                f" (if that finds none, `lsof {file.name}` shows the process that is left)"
            )
        time.sleep(0.05)
    return file


def _try_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
