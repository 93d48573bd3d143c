"""A process that gives way."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, pathlib
from otcpipe.stack import priority
priority.give_way(7)
group = pathlib.Path("/proc/self/autogroup")
print(os.nice(0), group.read_text().split()[-1] if group.exists() else "none")
"""


@pytest.mark.parametrize("is_leader", [True, False])
def test_a_process_gives_way_and_its_session_if_that_is_its_own(*, is_leader: bool) -> None:
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=is_leader)
    group = Path("/proc/self/autogroup")
    before = group.read_text().split()[-1] if group.exists() else "none"
    assert done.stdout.split() == ["7", "7" if is_leader and group.exists() else before]
