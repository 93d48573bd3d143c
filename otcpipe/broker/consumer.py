"""The consumer of one queue: it checks each message before Dramatiq sees it.

A forged or damaged message goes to the dead letters by itself; no message can end a thread or stop a queue.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import _RedisConsumer
from dramatiq.errors import ConnectionClosed

from otcpipe.broker import activity, dequeue, key_types
from otcpipe.broker.messages import DELAYED
from otcpipe.errors import Invalid

HEARTBEAT_SECONDS, SWEEP_SECONDS = 1, 5
YIELD_SECONDS, YIELD_POLL_SECONDS = 0.3, 0.02  # how long a busy process leaves messages to others


class FailClosedConsumer(_RedisConsumer):
    """Requeues ids of this process that no thread has in hand: lost replies and unsettled messages.

    A process whose threads are all busy leaves the next message to an idle process for as long as that would need to
    take it. Otherwise the longest chain of a week waits behind a worker that has other work.
    """

    def __init__(self, broker: Any, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout=1)
        self.idle_seconds = timeout / 1000
        self.in_hand: set[str] = broker.in_hand.setdefault(queue_name, set())
        if queue_name.endswith(DELAYED):
            self.in_hand.clear()  # a new consumer: the old one has dropped its delayed messages
        self.beaten_at = self.swept_at = 0.0
        self.busy_since: float | None = None
        self.has_moved = False  # since the last sweep

    @property
    def outstanding_message_count(self) -> int:
        return len(self.in_hand) + len(self.message_cache)

    def __next__(self) -> dramatiq.MessageProxy | None:
        try:
            self._maintain()
            message = self._take()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ConnectionClosed(error) from None
        except redis.ResponseError as error:
            if not key_types.is_wrong_type(error) or not key_types.set_aside(self.broker.client, self.broker.queues):
                raise
            return None
        if message is None:
            with self.broker.freed:  # notified when a message waits, or is done: its stage's output is the next
                self.broker.freed.wait(YIELD_POLL_SECONDS if self._yields() else self.idle_seconds)
        return message

    def _take(self) -> dramatiq.MessageProxy | None:
        """Return the next message; None if there is none, or it is left to another process.

        Only one consumer of the process takes messages at a time.
        """
        with self.broker.taking:
            if self.broker.is_outdated:
                self._give_back()
            if self.broker.is_outdated or self._yields():
                return None
            room = self.prefetch - self.outstanding_message_count
            if not self.message_cache and room > 0:
                if self._is_filled():
                    self.message_cache = dequeue.take(
                        self.broker.client, self.broker.broker_id, self.queue_name, room
                    )
                self.has_moved = self.has_moved or bool(self.message_cache) or not self.in_hand
            while self.message_cache:
                message = self._admit(*self.message_cache.pop(0))
                if message:
                    self.in_hand.add(message.options["redis_message_id"])
                    return message
        return None

    def _is_filled(self) -> bool:
        """Return whether messages wait in the queue; wake the consumers of other queues in which some do."""
        filled: dequeue.FilledQueues = self.broker.filled
        if filled.update([*self.broker.in_hand], self.idle_seconds / 2) and filled.names - {self.queue_name}:
            self._wake_consumers()
        return self.queue_name in filled.names

    def _wake_consumers(self) -> None:
        with self.broker.freed:
            self.broker.freed.notify_all()

    def _give_back(self) -> None:
        """Requeue what was taken and no thread has in hand."""
        names = [name for name, _ in self.message_cache]
        self.message_cache = []
        if names:
            self.broker.do_requeue(self.queue_name, *names)

    def _admit(self, name: bytes, body: bytes | None) -> dramatiq.MessageProxy | None:
        """Return the message of an id; None if it has no body (it is requeued) or is invalid (it dies)."""
        if body is None:
            self.broker.do_requeue(self.queue_name, name)
            return None
        try:
            message = self.broker.admit(body, self.queue_name, name)
        except Invalid as error:
            self.logger.error("A message on %s is refused: %s", self.queue_name, error)  # noqa: TRY400 - no bug
            self.broker.refused(name, error)
            self.broker.do_nack(self.queue_name, name)
            return None
        return dramatiq.MessageProxy(message)

    def _yields(self) -> bool:
        """Return whether all threads have been busy for less than YIELD_SECONDS: others may take messages first."""
        in_hand = sum(len(ids) for name, ids in [*self.broker.in_hand.items()] if not name.endswith(DELAYED))
        if in_hand < self.prefetch:  # which is the number of threads
            self.busy_since = None
            return False
        now = time.monotonic()
        self.busy_since = self.busy_since or now
        return now - self.busy_since < YIELD_SECONDS

    def ack(self, message: dramatiq.MessageProxy) -> None:
        self._settle(message, super().ack)

    def nack(self, message: dramatiq.MessageProxy) -> None:
        self._settle(message, super().nack)

    def _settle(self, message: dramatiq.MessageProxy, settle: Callable[[dramatiq.MessageProxy], None]) -> None:
        """Ack or nack the message, unless one of its after-hooks failed."""
        try:
            if not getattr(message, "is_unsettled", False):
                settle(message)
        except redis.TimeoutError as error:
            raise ConnectionClosed(error) from None
        except redis.ResponseError:
            self.in_hand.discard(message.options["redis_message_id"])  # full or read-only: the sweep tries again
            raise
        self.in_hand.discard(message.options["redis_message_id"])
        self.has_moved = True
        self.broker.filled.forget()
        self._wake_consumers()

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        messages = list(messages)
        super().requeue(messages)
        self.in_hand.difference_update(message.options["redis_message_id"] for message in messages)

    def _maintain(self) -> None:
        """Send the heartbeat and sweep when due; never while a fetch of this consumer is under way."""
        now = time.monotonic()
        if now - self.beaten_at > HEARTBEAT_SECONDS:
            self.broker.do_fetch(self.queue_name, 0)  # fetches nothing: Dramatiq's heartbeat and maintenance
            self.beaten_at = now
        if now - self.swept_at > SWEEP_SECONDS:
            self._sweep()
            self.swept_at = now

    def _sweep(self) -> None:
        """Requeue ids of this process that are neither in hand nor cached, and report this consumer.

        Dramatiq's own heartbeats do not show consumers: a process that only enqueues has one too.
        """
        broker, client = self.broker, self.broker.client
        if not broker.is_outdated:
            activity.report(client, self.queue_name, has_moved=self.has_moved)
        self.has_moved = False
        unacked = client.smembers(f"{broker.namespace}:__acks__.{broker.broker_id}.{self.queue_name}")
        orphans = unacked - {name.encode() for name in self.in_hand.copy()} - {name for name, _ in self.message_cache}
        if orphans:
            broker.do_requeue(self.queue_name, *orphans)
