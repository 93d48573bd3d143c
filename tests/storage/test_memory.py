"""The memory of a worker: what is freed goes back to the system."""

import subprocess
import sys

PROGRAM = """
import sys, pyarrow as pa
from pathlib import Path
from otcpipe.storage import memory

def megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

if sys.argv[1:]:
    memory.return_large_blocks()
bytearray(30 << 20)  # when it is freed, the C library would keep blocks of its size
before = megabytes()
blocks = [(bytearray(b"x") * (2 << 20), bytearray(100_000)) for _ in range(40)]
between = [small for _, small in blocks]
del blocks
print(megabytes() - before, pa.default_memory_pool().backend_name)
"""


def test_freed_blocks_go_back_to_the_system() -> None:
    kept, _ = run()
    megabytes, pool = run("returning")
    assert (int(megabytes) < 20 < int(kept), pool) == (True, "system")


def run(*arguments: str) -> list[str]:
    found = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], check=True, capture_output=True, text=True)
    return found.stdout.split()
