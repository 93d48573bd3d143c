"""The Redis broker, made to fail closed: a message is settled only when all that follows from it is safe.

The stock broker acks a message although a hook that should have enqueued its retry failed, and forgets ids whose
body never arrived. Here such a message stays in the worker's set of unacked ids, and a sweep takes it back. Dead
messages stay in Redis until somebody has recorded them: nothing expires.
"""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed, DecodeError

from otcpipe.queues import NAMESPACE, SEEN_SECONDS, consumer_key, this_host

FOR_EVER_MS = 10**13
MAINTENANCE_CHANCE = 100_000  # of a million commands
SWEEP_SECONDS = 5
PATIENCE_SECONDS, LOOK_SECONDS = 0.3, 0.02


class FailClosedBroker(RedisBroker):
    """Marks a message unsettled when a hook after it raised, and knows which ids this process has in hand."""

    def __init__(self, client: "redis.Redis", middleware: list[dramatiq.Middleware], heartbeat: timedelta) -> None:
        self.taking = threading.Lock()
        self.freed = threading.Condition()  # told when a thread is through with its message
        self.in_hand: dict[str, set[str]] = {}  # ids by queue; outlives the consumers, which come and go
        super().__init__(
            client=client,
            middleware=middleware,
            namespace=NAMESPACE,
            heartbeat_timeout=round(1000 * heartbeat.total_seconds()),
            dead_message_ttl=FOR_EVER_MS,
            maintenance_chance=MAINTENANCE_CHANCE,
        )

    @property
    def consumer_class(self) -> type["FailClosedConsumer"]:
        return FailClosedConsumer

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        for middleware in reversed(self.middleware):
            try:
                getattr(middleware, f"after_{signal}")(self, *args, **kwargs)
            except Exception:  # whatever a hook raises, its message must not be acked
                self.logger.exception("after_%s of %r failed", signal, middleware)
                if signal in ("process_message", "skip_message"):
                    args[0].is_unsettled = True


class FailClosedConsumer(_RedisConsumer):
    """Takes back ids of its own that nobody has in hand: replies that got lost, and unsettled messages.

    A process whose threads all have work leaves the next message to one that is idle, for as long as that would need
    to take it: else the longest chain of a week waits behind a worker that has other work.
    """

    def __init__(self, broker: FailClosedBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout=1)  # it would wait while nobody else could take one
        self.idle_seconds = timeout / 1000
        self.in_hand = broker.in_hand.setdefault(queue_name, set())
        if queue_name.endswith(".DQ"):
            self.in_hand.clear()  # a new consumer means that the old one's delayed messages were dropped
        self.swept_at = 0.0
        self.busy_since: float | None = None

    def __next__(self) -> dramatiq.MessageProxy | None:
        try:
            if time.monotonic() - self.swept_at > SWEEP_SECONDS:
                self._sweep()
            message = self._taken()
        except DecodeError:
            self.logger.exception("a message on %s cannot be decoded", self.queue_name)
            return None  # the sweep moves it to the dead letters
        except redis.TimeoutError as error:
            raise ConnectionClosed(error) from None
        if message is None:
            with self.broker.freed:  # told of a message that is done: a stage's output is the next
                self.broker.freed.wait(LOOK_SECONDS if self._leaves_it_to_others() else self.idle_seconds)
        return message

    def _taken(self) -> dramatiq.MessageProxy | None:
        """The next message, if there is one and it is not left to others; one consumer of the process at a time."""
        with self.broker.taking:
            message: dramatiq.MessageProxy | None = None if self._leaves_it_to_others() else super().__next__()
            if message is not None:
                self.in_hand.add(message.options["redis_message_id"])
        return message

    def _leaves_it_to_others(self) -> bool:
        """Whether the process has as many messages in hand as threads, and that since a moment ago only."""
        in_hand = sum(len(ids) for name, ids in [*self.broker.in_hand.items()] if not name.endswith(".DQ"))
        if in_hand < self.prefetch:  # which is the number of threads
            self.busy_since = None
            return False
        now = time.monotonic()
        self.busy_since = self.busy_since or now
        return now - self.busy_since < PATIENCE_SECONDS

    def ack(self, message: dramatiq.MessageProxy) -> None:
        self._settle(message, super().ack)

    def nack(self, message: dramatiq.MessageProxy) -> None:
        self._settle(message, super().nack)

    def _settle(self, message: dramatiq.MessageProxy, settle: Callable[[dramatiq.MessageProxy], None]) -> None:
        try:
            if getattr(message, "is_unsettled", False):
                self.queued_message_ids.discard(message.message_id)
            else:
                settle(message)
        except redis.TimeoutError as error:
            raise ConnectionClosed(error) from None
        except redis.ResponseError:
            self.in_hand.discard(message.options["redis_message_id"])  # full, or read-only: the sweep tries again
            raise
        self.in_hand.discard(message.options["redis_message_id"])
        with self.broker.freed:
            self.broker.freed.notify_all()

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        messages = list(messages)
        super().requeue(messages)
        self.in_hand.difference_update(message.options["redis_message_id"] for message in messages)

    def _sweep(self) -> None:
        """Before any fetch of this consumer's is under way, so that an id is in hand, or cached, or orphaned."""
        broker, queue = self.broker, f"{self.broker.namespace}:{self.queue_name}"
        # Dramatiq's own heartbeats do not tell who consumes what: whoever enqueues has one.
        broker.client.set(consumer_key(self.queue_name, this_host()), 1, ex=SEEN_SECONDS)
        unacked = broker.client.smembers(f"{broker.namespace}:__acks__.{broker.broker_id}.{self.queue_name}")
        cached = {
            dramatiq.Message.decode(body).options["redis_message_id"] for body in self.message_cache if _reads(body)
        }
        for orphan in {name.decode() for name in unacked} - self.in_hand - cached:
            body = broker.client.hget(f"{queue}.msgs", orphan)
            if body is not None and not _reads(body):
                broker.do_nack(self.queue_name, orphan)
            else:
                broker.do_requeue(self.queue_name, orphan)
        self.swept_at = time.monotonic()


def _reads(body: bytes | None) -> bool:
    try:
        return body is not None and "redis_message_id" in dramatiq.Message.decode(body).options
    except DecodeError:
        return False
