"""Services of Linux: start times of processes, processes left over, and death signals.

On other systems they are missing, and servers outlive a killed supervisor (and keep its lock).
"""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def start_time(pid: int) -> int | None:
    """Return the clock ticks from boot to the start of `pid` (field 22 of its stat); None if unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # Field 2, the program's name, may contain spaces and parentheses: count from the last parenthesis.
    return int(stat.rpartition(")")[2].split()[19])


def running(binary: Path, directory: Path) -> list[int]:
    """Return the ids of the processes that run this binary in this working directory."""
    return [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if _link(process / "cwd") == directory and _link(process / "exe") == binary
    ]


def death_signal_setter(parent: int, number: signal.Signals) -> Callable[[], None] | None:
    """Return code for a new process that makes the kernel send it a signal when its parent dies; None if not Linux.

    The kernel watches the thread that started the process, so it must be the main thread.
    """
    if LIBC is None:
        return None
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("start the stack's programs from the main thread: they die with their thread")
    prctl = LIBC.prctl

    def set_death_signal() -> None:
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before prctl took effect
            os._exit(1)

    return set_death_signal


def _link(path: Path) -> Path | None:
    try:
        return path.readlink()
    except OSError:  # the process ended meanwhile, or belongs to another user
        return None
