"""Dramatiq middleware of our own: one idea a class."""

import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import dramatiq
from dramatiq.middleware import Middleware, Shutdown, TimeLimitExceeded
from dramatiq.middleware.threading import raise_thread_exception

from otcpipe import logs, resources, trading_calendar
from otcpipe.errors import Invalid, OtcpipeError, Permanent
from otcpipe.pipeline.dead_letters import Failure
from otcpipe.pipeline.definition import PIPELINE
from otcpipe.pipeline.ledger import Run
from otcpipe.storage import cancellation
from otcpipe.storage.cancellation import StageWork

log = logging.getLogger(__name__)
IDLE_MS = 100
TICK_SECONDS = 0.25
GRACE_SECONDS = 3.0  # of a worker that is to stop: most stages are done by then
UNSET_LIMIT_MS = 600_000
ROUND_SECONDS, SELDOM_SECONDS = 5.0, 60.0


class WorkerTuning(Middleware):
    """Worker settings that Dramatiq takes from the environment only: idle latency, and no hoarding of messages.

    What is long to import is there before the first message.
    """

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        trading_calendar.closings()
        worker.worker_timeout = IDLE_MS
        worker.queue_prefetch = worker.worker_threads


class Logs(Middleware):
    """Sets up the logs of a worker process, and puts a message's fields on every line that is logged while it runs.

    First of those that log, so that the lines of the others' hooks have them too.
    """

    def __init__(self, run_of: Callable[[dramatiq.MessageProxy], Run]) -> None:
        self._run_of = run_of

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        logs.configure(resources.settings())

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        fields: dict[str, object] = {"run": message.message_id, "stage": message.queue_name}
        with suppress(Invalid):  # a message that is no run of a stage
            key = self._run_of(message).key
            fields |= {"tier": key.partition.tier, "week": str(key.partition.week_ending), "key": str(key)}
        logs.FIELDS.set(fields)

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        logs.FIELDS.set({})

    def after_skip_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        logs.FIELDS.set({})


class DeadLetters(Middleware):
    """Notes why a message dies, in the one hook that every cause of death passes; `record` is called after it."""

    def __init__(self, note: Callable[[str, Failure], None], record: Callable[[], None]) -> None:
        self._note = note
        self._record = record

    def before_nack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        error: Any = message._exception  # noqa: SLF001 - Dramatiq gives no other way to it
        retries = message.options.get("retries", 0)
        attempts = retries + 1 if isinstance(error, Permanent | Invalid) else max(retries, 1)
        if error:
            version = next((one.code_version for one in PIPELINE if one.actor == message.actor_name), None)
            self._note(message.options["redis_message_id"], Failure.of(error, attempts, version))

    def after_nack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        self._record()


class TimeLimits(Middleware):
    """Ends what a stage does when its time is up, or the worker is to stop: statements, and the threads that help.

    Last of all, so that nothing is raised in the hooks of the others.
    """

    def __init__(self) -> None:
        self._deadlines: dict[StageWork, float] = {}
        self._mine = threading.local()
        self._shutdown_at = math.inf
        self._over = threading.Event()

    @property
    def actor_options(self) -> set[str]:
        return {"time_limit"}

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        threading.Thread(target=self._watch, name="time limits", daemon=True).start()

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        options = broker.get_actor(message.actor_name).options
        limit = message.options.get("time_limit") or options.get("time_limit", UNSET_LIMIT_MS)
        self._mine.work = StageWork(raise_thread_exception)
        cancellation.CURRENT.set(self._mine.work)
        self._deadlines[self._mine.work] = time.monotonic() + limit / 1000

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
        work = self._mine.__dict__.pop("work", None)
        if work:
            work.end()
            self._deadlines.pop(work, None)
        cancellation.CURRENT.set(None)

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._shutdown_at = time.monotonic() + GRACE_SECONDS

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(TICK_SECONDS):
            now = time.monotonic()
            for work, deadline in self._deadlines.copy().items():
                if now >= min(deadline, self._shutdown_at):
                    work.stop(TimeLimitExceeded if now >= deadline else Shutdown)


class Housekeeping(Middleware):
    """Does chores while a worker lives: some every few seconds and when asked, others at its start and each minute.

    What fails, as when a server is down, waits for the next round.
    """

    def __init__(self, often: Callable[[], object], seldom: Callable[[], object]) -> None:
        self._often = often
        self._seldom = seldom
        self._over = False
        self._bell = threading.Event()

    def wake(self) -> None:
        """Do a round now."""
        self._bell.set()

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        threading.Thread(target=self._go, name="rounds", daemon=True).start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._over = True
        self.wake()

    def _go(self) -> None:
        due = time.monotonic()
        while not self._over:
            if time.monotonic() >= due and self._done(self._seldom):
                due = time.monotonic() + SELDOM_SECONDS
            self._done(self._often)
            self._bell.wait(ROUND_SECONDS)
            self._bell.clear()

    def _done(self, chore: Callable[[], object]) -> bool:
        try:
            chore()
        except OtcpipeError as error:
            log.warning("%s waits: %s", chore.__name__, error)
            return False
        except Exception:  # no failure of one round may end the rounds
            log.exception("%s failed", chore.__name__)
            return False
        return True
