"""A test that waits for a process without end is ended."""

import signal
import subprocess
import sys

from tests.support.watchdog import Watchdog

KILLED = """
import os, subprocess, sys, time
from tests.support.watchdog import Watchdog, descendants
before = subprocess.Popen(["sleep", "1000"])
watchdog = Watchdog(0.5)
process = subprocess.Popen([sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '1000'])"])
code = process.wait()
watchdog.stop()
end = time.monotonic() + 20
while descendants(os.getpid()) != {before.pid} and time.monotonic() < end:
    time.sleep(0.05)
print(code, before.poll(), len(descendants(os.getpid())))
before.kill()
"""  # in a process of its own, without the servers, whose children come and go


def test_what_was_started_since_is_killed_with_all_that_it_started() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [str(-signal.SIGKILL), "None", "1"]


def test_nothing_is_killed_once_it_was_stopped() -> None:
    watchdog = Watchdog(0.1)
    watchdog.stop()
    with subprocess.Popen(["sleep", "0.3"]) as process:
        pass
    assert process.returncode == 0
