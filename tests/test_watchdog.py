"""A test that waits for a process without end is ended."""

import os
import signal
import subprocess
import sys

from tests.support.watchdog import Watchdog, descendants

PARENT = "import subprocess; subprocess.run(['sleep', '1000'])"


def test_what_was_started_since_is_killed_with_all_that_it_started() -> None:
    servers = descendants(os.getpid())
    with subprocess.Popen(["sleep", "1000"]) as before:
        watchdog = Watchdog(0.5)
        with subprocess.Popen([sys.executable, "-c", PARENT]) as process:
            pass
        watchdog.stop()
        assert process.returncode == -signal.SIGKILL
        assert before.poll() is None
        assert descendants(os.getpid()) == servers | {before.pid}
        before.kill()


def test_nothing_is_killed_once_it_was_stopped() -> None:
    watchdog = Watchdog(0.1)
    watchdog.stop()
    with subprocess.Popen(["sleep", "0.3"]) as process:
        pass
    assert process.returncode == 0
