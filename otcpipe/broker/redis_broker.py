"""The Redis broker, made to fail closed: a message is settled only when all that follows from it is safe.

The stock broker acks a message although a hook that should have enqueued its retry failed, and forgets ids whose
body never arrived. Here such a message stays in the worker's set of unacked ids, and a sweep takes it back. Dead
messages stay in Redis until they are recorded: nothing expires.

Messages are taken one by one with the ids under which they lay, and checked before Dramatiq sees them: one that was
forged or damaged goes to the dead letters alone, and no message can end a thread or stop a queue.
"""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed

from otcpipe.broker import dequeue, key_types, messages
from otcpipe.broker.key_types import NAMESPACE
from otcpipe.broker.queues import SEEN_SECONDS, consumer_key, moved_key, this_host
from otcpipe.errors import Invalid

FOR_EVER_MS = 10**13
MAINTENANCE_CHANCE = 1_000_000  # of a million commands, which are one a second and queue, and what is enqueued
BEAT_SECONDS, SWEEP_SECONDS = 1, 5
PATIENCE_SECONDS, LOOK_SECONDS = 0.3, 0.02
MOST_TRACE = 4_000  # characters of a traceback that travels with a message
Admit = Callable[[bytes, str, bytes], "dramatiq.Message[Any]"]  # of a body, its queue and its id; raises Invalid
Refused = Callable[[bytes, Invalid], None]


class FailClosedBroker(RedisBroker):
    """Marks a message unsettled when a hook after it raised, and knows which ids this process has in hand."""

    def __init__(
        self,
        client: "redis.Redis",
        middleware: list[dramatiq.Middleware],
        heartbeat: timedelta,
        admit: Admit = messages.envelope,
        refused: Refused = lambda *_: None,
    ) -> None:
        self.admit = admit
        self.refused = refused
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

    def enqueue(self, message: "dramatiq.Message[Any]", *, delay: int | None = None) -> "dramatiq.Message[Any]":
        """As Dramatiq does it; of the traceback that a retry carries, only the end, or it could get too long."""
        trace = message.options.get("traceback")
        if trace:
            message = message.copy(options={"traceback": trace[-MOST_TRACE:]})
        sent: dramatiq.Message[Any] = super().enqueue(message, delay=delay)
        return sent

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        for middleware in reversed(self.middleware):
            try:
                getattr(middleware, f"after_{signal}")(self, *args, **kwargs)
            except Exception:  # whatever a hook raises, its message must not be acked
                self.logger.exception("after_%s of %r failed", signal, middleware)
                if signal in ("process_message", "skip_message"):
                    args[0].is_unsettled = True


class FailClosedConsumer(_RedisConsumer):
    """Takes back ids of its own that no thread has in hand: replies that got lost, and unsettled messages.

    A process whose threads all have work leaves the next message to one that is idle, for as long as that would need
    to take it: else the longest chain of a week waits behind a worker that has other work.
    """

    def __init__(self, broker: FailClosedBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout=1)
        self.idle_seconds = timeout / 1000
        self.in_hand = broker.in_hand.setdefault(queue_name, set())
        if queue_name.endswith(messages.DELAYED):
            self.in_hand.clear()  # a new consumer means that the old one's delayed messages were dropped
        self.beaten_at = self.swept_at = 0.0
        self.busy_since: float | None = None
        self.has_moved = False  # since the last sweep

    @property
    def outstanding_message_count(self) -> int:
        return len(self.in_hand) + len(self.message_cache)

    def __next__(self) -> dramatiq.MessageProxy | None:
        try:
            self._keep_up()
            message = self._taken()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ConnectionClosed(error) from None
        except redis.ResponseError as error:
            if not key_types.is_wrong_type(error) or not key_types.set_aside(self.broker.client, self.broker.queues):
                raise
            return None
        if message is None:
            with self.broker.freed:  # told of a message that is done: a stage's output is the next
                self.broker.freed.wait(LOOK_SECONDS if self._leaves_it_to_others() else self.idle_seconds)
        return message

    def _taken(self) -> dramatiq.MessageProxy | None:
        """The next message, if there is one and it is not left to others; one consumer of the process at a time."""
        with self.broker.taking:
            if self._leaves_it_to_others():
                return None
            room = self.prefetch - self.outstanding_message_count
            if not self.message_cache and room > 0:
                self.message_cache = dequeue.take(self.broker.client, self.broker.broker_id, self.queue_name, room)
                self.has_moved = self.has_moved or bool(self.message_cache) or not self.in_hand
            while self.message_cache:
                message = self._admitted(*self.message_cache.pop(0))
                if message:
                    self.in_hand.add(message.options["redis_message_id"])
                    return message
        return None

    def _admitted(self, name: bytes, body: bytes | None) -> dramatiq.MessageProxy | None:
        """The message; None for an id without one, which is dropped, and for what is no message, which dies."""
        if body is None:
            self.broker.do_requeue(self.queue_name, name)
            return None
        try:
            message = self.broker.admit(body, self.queue_name, name)
        except Invalid as error:
            self.logger.error("A message on %s is set aside: %s", self.queue_name, error)  # noqa: TRY400 - no news
            self.broker.refused(name, error)
            self.broker.do_nack(self.queue_name, name)
            return None
        return dramatiq.MessageProxy(message)

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
            if not getattr(message, "is_unsettled", False):
                settle(message)
        except redis.TimeoutError as error:
            raise ConnectionClosed(error) from None
        except redis.ResponseError:
            self.in_hand.discard(message.options["redis_message_id"])  # full, or read-only: the sweep tries again
            raise
        self.in_hand.discard(message.options["redis_message_id"])
        self.has_moved = True
        with self.broker.freed:
            self.broker.freed.notify_all()

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        messages = list(messages)
        super().requeue(messages)
        self.in_hand.difference_update(message.options["redis_message_id"] for message in messages)

    def _keep_up(self) -> None:
        """Say that this process lives, and take back what it lost; before any fetch of this consumer is under way."""
        now = time.monotonic()
        if now - self.beaten_at > BEAT_SECONDS:
            self.broker.do_fetch(self.queue_name, 0)  # fetches nothing: Dramatiq's heartbeat and maintenance
            self.beaten_at = now
        if now - self.swept_at > SWEEP_SECONDS:
            self._sweep()
            self.swept_at = now

    def _sweep(self) -> None:
        """Requeue ids of this process that are neither in hand nor cached, and say who consumes the queue.

        Dramatiq's own heartbeats do not say it: whoever enqueues has one.
        """
        broker, client = self.broker, self.broker.client
        client.set(consumer_key(self.queue_name, this_host()), 1, ex=SEEN_SECONDS)
        client.set(moved_key(self.queue_name), client.time()[0], nx=not self.has_moved)
        self.has_moved = False
        unacked = client.smembers(f"{broker.namespace}:__acks__.{broker.broker_id}.{self.queue_name}")
        orphans = unacked - {name.encode() for name in self.in_hand.copy()} - {name for name, _ in self.message_cache}
        if orphans:
            broker.do_requeue(self.queue_name, *orphans)
