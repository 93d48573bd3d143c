"""Mutated files and answers end in rows or in one of our errors: soon, in bounded memory, with every line once."""

import json
import subprocess
import sys

import pytest

SECONDS = 10  # of one input
MEGABYTES = 1000


def fuzz(kind: str, first: int, count: int, timeout: int) -> None:
    command = [sys.executable, "-m", "tests.support.fuzz", kind, str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True)
    found = json.loads(done.stdout)
    assert found["failures"] == []
    assert sum(found["outcomes"].values()) == count
    assert found["outcomes"].get("read", 0) > count // 10, "hardly an input came through"
    assert found["seconds"] < SECONDS
    assert found["megabytes"] < MEGABYTES


@pytest.mark.parametrize("kind", ["file", "answer"])
def test_a_mutated_input_ends_well(kind: str) -> None:
    fuzz(kind, 0, 250, timeout=110)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(0, 10_000, 2_500))
@pytest.mark.parametrize("kind", ["file", "answer"])
def test_twenty_thousand_mutated_inputs_end_well(kind: str, first: int) -> None:
    fuzz(kind, first, 2_500, timeout=3500)
