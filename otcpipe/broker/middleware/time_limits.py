"""Time limits of stages."""

import math
import threading
import time

import dramatiq
from dramatiq.middleware import Middleware, Shutdown, TimeLimitExceeded

from otcpipe.broker.interrupts import raise_in_thread
from otcpipe.storage import cancellation
from otcpipe.storage.cancellation import StageWork

TICK_SECONDS = 0.25
GRACE_SECONDS = 3.0  # before a worker that shuts down stops its stages: most are done by then
DEFAULT_LIMIT_MS = 600_000


class TimeLimits(Middleware):
    """Stops a stage at its time limit or when the worker shuts down: its SQL statements and its helper threads too.

    Must be the last middleware, so that nothing is raised in the hooks of the others.
    """

    def __init__(self) -> None:
        self._deadlines: dict[StageWork, float] = {}
        self._thread = threading.local()
        self._shutdown_at = math.inf
        self._is_over = threading.Event()

    @property
    def actor_options(self) -> set[str]:
        return {"time_limit"}

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        threading.Thread(target=self._watch, name="time limits", daemon=True).start()

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        options = broker.get_actor(message.actor_name).options
        limit = message.options.get("time_limit") or options.get("time_limit", DEFAULT_LIMIT_MS)
        self._thread.work = StageWork(raise_in_thread)
        cancellation.CURRENT.set(self._thread.work)
        self._deadlines[self._thread.work] = time.monotonic() + limit / 1000

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        self.after_skip_message(broker, message)

    def after_skip_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        work = self._thread.__dict__.pop("work", None)
        if work:
            work.end()
            self._deadlines.pop(work, None)
        cancellation.CURRENT.set(None)

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._shutdown_at = time.monotonic() + GRACE_SECONDS

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._is_over.set()

    def _watch(self) -> None:
        while not self._is_over.wait(TICK_SECONDS):
            now = time.monotonic()
            for work, deadline in self._deadlines.copy().items():
                if now >= min(deadline, self._shutdown_at):
                    work.stop(TimeLimitExceeded if now >= deadline else Shutdown)
