"""Whose turn it is on a busy machine."""

import os
from contextlib import suppress
from pathlib import Path


def give_way(niceness: int) -> None:
    """Let this process wait for others: `nice`, and for the leader of a session the same among sessions.

    A kernel that groups processes by session (`sched_autogroup_enabled`) compares niceness within a session only.
    """
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # another system, or a kernel that does not group
            Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")
