"""A process that gives way."""

import subprocess
import sys

import pytest

SCRIPT = """
import os, pathlib
from otcpipe.stack import priority

def session():
    group = pathlib.Path("/proc/self/autogroup")
    return (group.read_text().split() if group.exists() else [])[-1:] or ["none"]

before = session()
priority.give_way(7)
print(os.nice(0), *before, *session())
"""


@pytest.mark.parametrize("is_leader", [True, False])
def test_a_process_gives_way_and_its_session_if_that_is_its_own(*, is_leader: bool) -> None:
    """A kernel that does not group, and a session that is in no group (an empty file), stay as they are."""
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=is_leader)
    niceness, before, after = done.stdout.split()
    assert niceness == "7"
    assert after == ("7" if is_leader and before != "none" else before)
