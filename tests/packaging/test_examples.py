"""The commands that the documents print for a first day run as printed: on a stack of one's own, in a new folder."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.packaging.documents import DOCUMENTS, ROOT

SECONDS = 120


def commands(document: str, after: str) -> list[str]:
    """The lines of the first block of commands after a sentence, without their comments."""
    block = re.search(r"^```\n(.*?)^```$", DOCUMENTS[document].partition(after)[2], re.MULTILINE | re.DOTALL)
    assert block, after
    return [line.partition("  #")[0].strip() for line in block[1].splitlines()]


@contextmanager
def running(command: str, environ: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A command that runs until Ctrl-C."""
    with log.open("wb") as file:
        process = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=ROOT, env=environ, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(SECONDS)


def done(command: str, environ: dict[str, str]) -> str:
    """What a command prints; it must succeed."""
    run = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert run.returncode == 0, f"{command}: {run.stderr}"
    return run.stdout


def wait_for(command: str, environ: dict[str, str], log: Path) -> str:
    """What a command prints as soon as it succeeds."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found = subprocess.run(["bash", "-c", command], env=environ, capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.strip()
        time.sleep(0.2)
    raise TimeoutError(f"{command}: {log.read_text()}")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A shell's variables with the programs of this environment, and without servers."""
    own = {name: text for name, text in os.environ.items() if not name.startswith("OTCPIPE_")}
    path = f"{Path(sys.executable).parent}:{own['PATH']}"
    return own | {"PATH": path, "OTCPIPE_HOME": str(tmp_path / "home"), "NO_COLOR": "1", "COLUMNS": "200"}


def test_the_first_days_commands_run_as_printed(environ: dict[str, str], tmp_path: Path) -> None:
    standin, up, backfill = commands("otcpipe/README.md", "To try it without FINRA")
    served, started = tmp_path / "standin.log", tmp_path / "up.log"
    with running(standin, environ, served):
        url = wait_for(f"grep ^OTCPIPE_FINRA_URL= {served}", environ, served)
        port = url.rpartition(":")[2]
        with running(f"env {up}".replace("PORT", port), environ, started):
            wait_for("otcpipe env", environ, started)
            done(backfill, environ)
            activate, *lines = commands("README.md", "## Install")
            assert (ROOT / activate.removeprefix(". ")).exists()
            printed = {line: done(line, environ) for line in lines}
            states = [row["state"] for row in json.loads(done("otcpipe status --json", environ))]
            done("otcpipe down", environ)
    assert all(printed.values())
    assert "concentrated" in printed[lines[-1]]
    assert states == ["done"] * 14  # four generated weeks of three tiers, and two files
