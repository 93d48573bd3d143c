"""Progress of long work, on standard error: a bar on a terminal, else a line now and then, which logs keep."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track as drawn

PAUSE = 15.0  # seconds between lines of a log
One = TypeVar("One")


def track(values: Sequence[One], what: str, pause: float = PAUSE) -> Iterator[One]:
    """Yield the values, and show how many of them are done."""
    console = Console(stderr=True)
    if console.is_terminal:
        yield from drawn(values, what, console=console, transient=True)
        return
    last = time.monotonic()
    for number, value in enumerate(values):
        if time.monotonic() - last >= pause:
            print(f"{what}: {number:,} of {len(values):,}", file=sys.stderr, flush=True)  # noqa: T201 - beside the answer
            last = time.monotonic()
        yield value
