"""Dramatiq middleware of our own: one idea a class."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import dramatiq
import redis
from dramatiq.middleware import Middleware, SkipMessage

from otcpipe import ledger, services
from otcpipe.errors import Invalid, Unreachable
from otcpipe.ledger import Run

log = logging.getLogger(__name__)
DELIVERIES = 3  # the fourth is one too many
MEMORY = timedelta(days=1)
IDLE_MS = 100


class Settings(Middleware):
    """Worker settings that Dramatiq takes from the environment only: idle latency, and no hoarding of messages."""

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        worker.worker_timeout = IDLE_MS
        worker.queue_prefetch = worker.worker_threads


class Poisonous(Exception):
    """The message was delivered again and again and never ended: it seems to kill its worker."""


class PoisonGuard(Middleware):
    """Dead-letters a message at its fourth delivery; Dramatiq would deliver one that kills its worker for ever."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        counter = self._counter(message)
        deliveries = self._client.incr(counter)
        self._client.expire(counter, MEMORY)
        if deliveries > DELIVERIES:
            message.fail()
            raise SkipMessage(str(Poisonous.__doc__))

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        self._client.delete(self._counter(message))

    def _counter(self, message: dramatiq.MessageProxy) -> str:
        return f"otcpipe:deliveries:{message.options['redis_message_id']}"


class DeadLetters(Middleware):
    """Notes in the ledger that a run is dead, with its reason, in the one hook that every cause of death passes."""

    def __init__(self, run_of: Callable[[dramatiq.MessageProxy], Run]) -> None:
        self._run_of = run_of

    def before_nack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        error: Any = message._exception  # noqa: SLF001 - Dramatiq gives no other way to it
        reason = ledger.sentence(error) if error else "The message was rejected without an error."
        try:
            ledger.note_failure(services.warehouse(), self._run_of(message), reason, is_final=True)
        except Invalid:
            log.error("a message that is no run of a stage is dead: %s", message)  # noqa: TRY400 - not ours to trace
        except Unreachable:
            log.exception("cannot note the death of %s", message)
