"""Worker settings."""

import dramatiq
from dramatiq.middleware import Middleware

from otcpipe.broker.patience import Patience
from otcpipe.storage import memory
from otcpipe.weeks import trading_calendar

IDLE_MS = 100


class WorkerTuning(Middleware):
    """Sets what Dramatiq otherwise reads from the environment only: idle latency, and no prefetch beyond the threads.

    Slow imports are done before the first message; freed memory is given back. At the end, lost connections to Redis
    are not awaited for long.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        trading_calendar.closings()
        memory.return_large_blocks()
        worker.worker_timeout = IDLE_MS
        worker.queue_prefetch = worker.worker_threads

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._patience.end_soon()
