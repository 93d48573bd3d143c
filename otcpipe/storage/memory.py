"""The memory of a worker."""

import ctypes
import sys

import pyarrow as pa

MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h
LARGE_BYTES = 1 << 20


def return_large_blocks() -> None:
    """Let this process give memory of 1 MiB or more back to the system as soon as it is freed.

    Arrow's own pool keeps it for later, and so does the C library, once blocks of some size were freed: a worker then
    grows by the largest tables that each stage had.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:  # musl has none
        mallopt(MMAP_THRESHOLD, LARGE_BYTES)
