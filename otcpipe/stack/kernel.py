"""What only Linux tells and does: when a process started, who is left, and death signals.

Elsewhere everything works without, save that servers outlive a killed supervisor (and keep its lock).
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
    """Clock ticks from boot to the start of `pid` (field 22 of its stat); None if unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # Field 2, the program's name, may itself hold spaces and parentheses: count from its last one.
    return int(stat.rpartition(")")[2].split()[19])


def running(binary: Path, directory: Path) -> list[int]:
    """The processes of this binary whose working directory is this one."""
    return [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if _link(process / "cwd") == directory and _link(process / "exe") == binary
    ]


def dying_with(parent: int, number: signal.Signals) -> Callable[[], None] | None:
    """Code for a new process that makes the kernel send it a signal when its parent dies.

    The kernel means the thread that started it, so no other than the main thread may.
    """
    if LIBC is None:
        return None
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("start the stack's programs from the main thread: they die with their thread")
    prctl = LIBC.prctl

    def set_death_signal() -> None:
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel knew
            os._exit(1)

    return set_death_signal


def _link(path: Path) -> Path | None:
    try:
        return path.readlink()
    except OSError:  # it ended meanwhile, or is another user's
        return None
