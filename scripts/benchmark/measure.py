"""Measure seconds and peak memory of work in this process."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ME = Path("/proc/self")


@dataclass
class Cost:
    """Seconds in sum; the peak of this process's resident memory in MB, itself and its imports included."""

    seconds: float = 0.0
    megabytes: float = 0.0


@contextmanager
def measured(cost: Cost) -> Iterator[None]:
    """Add the seconds of a block to a cost, and raise its peak memory to the block's."""
    (ME / "clear_refs").write_text("5")  # reset the peak
    started = time.perf_counter()
    yield
    cost.seconds += time.perf_counter() - started
    cost.megabytes = max(cost.megabytes, peak(ME))


def peak(process: Path) -> float:
    """Return the peak of a process's resident memory in MB, by its folder in /proc; 0 if it has ended."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
    except FileNotFoundError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0
