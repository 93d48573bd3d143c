"""Worker settings."""

import dramatiq
from dramatiq.middleware import Middleware

from otcpipe import trading_calendar

IDLE_MS = 100


class WorkerTuning(Middleware):
    """Sets what Dramatiq otherwise reads from the environment only: idle latency, and no prefetch beyond the threads.

    Slow imports are done before the first message.
    """

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        trading_calendar.closings()
        worker.worker_timeout = IDLE_MS
        worker.queue_prefetch = worker.worker_threads
