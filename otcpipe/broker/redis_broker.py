"""The Redis broker, made to fail closed: a message is acked only when everything that follows from it is stored.

The stock broker acks a message even if the hook that enqueues its retry failed, and forgets an id whose body never
arrived. Here such an id stays in the set of unacked ids, and a sweep requeues it. Dead messages never expire:
they stay in Redis until they are recorded.
"""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from otcpipe.broker import dequeue, messages
from otcpipe.broker.consumer import FailClosedConsumer
from otcpipe.broker.key_types import NAMESPACE
from otcpipe.errors import Invalid

NEVER_MS = 10**13
MAINTENANCE_CHANCE = 1_000_000  # of a million commands; there is one a second for each queue, and each enqueue
MAX_TRACE = 4_000  # characters of a traceback that travels with a message
Admit = Callable[[bytes, str, bytes], "dramatiq.Message[Any]"]  # of a body, its queue and its id; raises Invalid
Refused = Callable[[bytes, Invalid], None]


class FailClosedBroker(RedisBroker):
    """Marks a message as unsettled if an after-hook raised, and records which ids this process has in hand."""

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
        self.freed = threading.Condition()  # notified when a thread has finished its message, or one waits
        self.filled = dequeue.FilledQueues(client)
        self.is_outdated = False  # a newer release migrated the database: no message is taken
        self.in_hand: dict[str, set[str]] = {}  # ids by queue; outlives the consumers, which are replaced
        super().__init__(
            client=client,
            middleware=middleware,
            namespace=NAMESPACE,
            heartbeat_timeout=round(1000 * heartbeat.total_seconds()),
            dead_message_ttl=NEVER_MS,
            maintenance_chance=MAINTENANCE_CHANCE,
        )

    @property
    def consumer_class(self) -> type[FailClosedConsumer]:
        return FailClosedConsumer

    def enqueue(self, message: "dramatiq.Message[Any]", *, delay: int | None = None) -> "dramatiq.Message[Any]":
        """Enqueue as Dramatiq does, with only the end of a retry's traceback: the message could get too long."""
        trace = message.options.get("traceback")
        if trace:
            message = message.copy(options={"traceback": trace[-MAX_TRACE:]})
        sent: dramatiq.Message[Any] = super().enqueue(message, delay=delay)
        return sent

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Call the after-hooks; if one of them raises, the message is not acked."""
        for middleware in reversed(self.middleware):
            try:
                getattr(middleware, f"after_{signal}")(self, *args, **kwargs)
            except Exception:  # whatever a hook raises, its message must not be acked
                self.logger.exception("after_%s of %r failed", signal, middleware)
                if signal in ("process_message", "skip_message"):
                    args[0].is_unsettled = True
