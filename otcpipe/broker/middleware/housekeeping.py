"""Regular tasks of a worker process besides its messages."""

import logging
import threading
import time
from collections.abc import Callable

import dramatiq
from dramatiq.middleware import Middleware

from otcpipe.errors import OtcpipeError

log = logging.getLogger(__name__)
OFTEN_SECONDS, SELDOM_SECONDS = 5.0, 60.0


class Housekeeping(Middleware):
    """Calls `often` every few seconds and on `wake`, and `seldom` at the start and then every minute.

    A task that fails, as when a server is down, is tried again in the next round.
    """

    def __init__(self, often: Callable[[], object], seldom: Callable[[], object]) -> None:
        self._often = often
        self._seldom = seldom
        self._is_over = False
        self._is_woken = threading.Event()

    def wake(self) -> None:
        """Start the next round now."""
        self._is_woken.set()

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        threading.Thread(target=self._run, name="housekeeping", daemon=True).start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._is_over = True
        self.wake()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._is_over:
            if time.monotonic() >= due and self._succeeds(self._seldom):
                due = time.monotonic() + SELDOM_SECONDS
            self._succeeds(self._often)
            self._is_woken.wait(OFTEN_SECONDS)
            self._is_woken.clear()

    def _succeeds(self, task: Callable[[], object]) -> bool:
        try:
            task()
        except OtcpipeError as error:
            log.warning("%s waits: %s", task.__name__, error)
            return False
        except Exception:  # no failure may end the thread
            log.exception("%s failed", task.__name__)
            return False
        return True
