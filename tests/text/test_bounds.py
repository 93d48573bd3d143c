"""Hostile input costs bounded memory and time, and ends in one sentence."""

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otcpipe.datasets import WEEKLY
from otcpipe.text import limits
from tests.packaging.documents import TEXT
from tests.support.lines import joined

GIGABYTE_IN_KB = 1 << 20
SECONDS = 30  # of a processor that others share; 1 to 5 on a quiet one
HEADER = joined(WEEKLY.file_order) + b"\n"
READ = """
import sys, time
from pathlib import Path
from otcpipe.stages import website_file
from otcpipe.storage import gz
from otcpipe.errors import Invalid
try:
    print(website_file.read(gz.expand(Path(sys.argv[1]).read_bytes())))
except Invalid as error:
    print(error)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak, time.process_time())
"""
MANY = limits.MAX_LINES - 10
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "newlines": (lambda: b"\n" * (4 << 20), "The file is empty."),
    "empty lines": (lambda: HEADER + b"\n" * MANY + b"x", "no usable row: an empty line"),
    "more lines than a partition has": (lambda: HEADER + b"x\n" * (60 << 20), "more than 500,000 lines"),
    "many bad lines": (lambda: HEADER + (b"x|" + b"y" * 240 + b"\n") * MANY, "2 columns instead of 8"),
    "many open quotes": (
        lambda: HEADER.replace(b"|", b",") + (b'"x,' + b"y" * 60 + b"\n") * MANY,
        "a quote that is not closed",
    ),
    "one line": (lambda: HEADER + b"x" * (limits.MAX_BYTES - len(HEADER)), "longer than 16,384 bytes"),
    "a long header": (lambda: b"|" * limits.MAX_BYTES, "The header is longer than 16,384 bytes"),
    "a bomb": (lambda: bytes(1 << 30), "expands to more than 128 MiB"),
    "wrong dates": (lambda: HEADER + b"OTC|A|A|V|M|1|1|12/29/2025\n" * MANY, "dates are written as 12/29/2025"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_file_costs_less_than_a_gigabyte_and_ends_soon(name: str, tmp_path: Path) -> None:
    make, words = REFUSED[name]
    (tmp_path / "file.gz").write_bytes(gzip.compress(make(), 1))
    command = [sys.executable, "-c", READ, str(tmp_path / "file.gz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    said, costs = done.stdout.splitlines()
    peak, seconds = costs.split()
    assert words in said
    assert int(peak) < GIGABYTE_IN_KB
    assert float(seconds) < SECONDS


def test_the_documents_state_the_bounds() -> None:
    longest = limits.MAX_CHARACTERS
    for words in (
        f"{limits.MAX_BYTES >> 20} MiB, {limits.MAX_LINES:,} lines, {limits.MAX_COLUMNS} columns",
        f"{limits.MAX_MEMBERS:,} gzip members",
        f"| a line | {limits.MAX_LINE_BYTES:,} bytes",
        f"| rejects of a file | {limits.MAX_REJECTS:,} in `otc.reject`",
        f"| {limits.SHARE_DIGITS}; {limits.NOTIONAL_DIGITS}; {limits.TRADE_DIGITS}; {limits.CRD_DIGITS} digits",
        f"| {longest['issueSymbolIdentifier']}; {longest['issueName']}; {longest['MPID']} characters",
    ):
        assert words in TEXT


@pytest.mark.parametrize("kind", ["/dev/zero", "FIFO", "folder"])
def test_only_a_regular_file_is_imported(kind: str, tmp_path: Path, here: Callable[..., Any]) -> None:
    path = tmp_path / "download.csv"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    done = here("import", kind if kind.startswith("/") else path)
    assert done.returncode == 2
    assert "not a regular file; save the download to a file first" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path, here: Callable[..., Any]) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    done = here("import", path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "larger than 128 MiB, which is too much" in done.stderr
