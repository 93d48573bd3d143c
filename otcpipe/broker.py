"""The Redis broker, made to fail closed: a message is settled only when all that follows from it is safe.

The stock broker acks a message although a hook that should have enqueued its retry failed, and forgets ids whose
body never arrived. Here such a message stays in the worker's set of unacked ids, and a sweep takes it back.
"""

import functools
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed, DecodeError
from dramatiq.middleware import CurrentMessage, ShutdownNotifications, TimeLimit
from dramatiq.middleware.retries import Retries
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.retry import Retry

from otcpipe import handoff, keys, services, stages
from otcpipe.errors import Invalid, Permanent, Unreachable
from otcpipe.ledger import Run
from otcpipe.middleware import DeadLetters, PoisonGuard, Settings
from otcpipe.records import Output

HEARTBEAT_MS = 15_000
MAINTENANCE_CHANCE = 100_000  # of a million commands
SWEEP_SECONDS = 5
OUTAGES = (redis.ConnectionError, redis.TimeoutError)


class FailClosedBroker(RedisBroker):
    """Marks a message unsettled when a hook after it raised, and knows which ids this process has in hand."""

    def __init__(self, client: "redis.Redis", middleware: list[dramatiq.Middleware]) -> None:
        self.in_hand: dict[str, set[str]] = {}  # ids by queue; outlives the consumers, which come and go
        super().__init__(
            client=client,
            middleware=middleware,
            namespace="otcpipe",
            heartbeat_timeout=HEARTBEAT_MS,
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
    """Takes back ids of its own that nobody has in hand: replies that got lost, and unsettled messages."""

    def __init__(self, broker: FailClosedBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout)
        self.in_hand = broker.in_hand.setdefault(queue_name, set())
        if queue_name.endswith(".DQ"):
            self.in_hand.clear()  # a new consumer means that the old one's delayed messages were dropped
        self.swept_at = 0.0

    def __next__(self) -> dramatiq.MessageProxy | None:
        try:
            if time.monotonic() - self.swept_at > SWEEP_SECONDS:
                self._sweep()
            message: dramatiq.MessageProxy | None = super().__next__()
        except DecodeError:
            self.logger.exception("a message on %s cannot be decoded", self.queue_name)
            return None  # the sweep moves it to the dead letters
        except redis.TimeoutError as error:
            raise ConnectionClosed(error) from None
        if message is not None:
            self.in_hand.add(message.options["redis_message_id"])
        return message

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
        self.in_hand.discard(message.options["redis_message_id"])

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        messages = list(messages)
        super().requeue(messages)
        self.in_hand.difference_update(message.options["redis_message_id"] for message in messages)

    def _sweep(self) -> None:
        """Before any fetch of this consumer's is under way, so that an id is in hand, or cached, or orphaned."""
        broker, queue = self.broker, f"{self.broker.namespace}:{self.queue_name}"
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


def connect(url: str) -> FailClosedBroker:
    """The broker with its middleware; the order matters and is explained in each of them."""
    client = redis.Redis.from_url(
        url,
        retry=Retry(ExponentialWithJitterBackoff(cap=2, base=0.05), 25),
        socket_timeout=10,
        health_check_interval=30,
    )
    middleware = [
        CurrentMessage(),
        Settings(),
        PoisonGuard(client),
        DeadLetters(run_of),
        Retries(),
        ShutdownNotifications(),
        TimeLimit(),
    ]
    return FailClosedBroker(client, middleware)


@functools.cache
def broker() -> FailClosedBroker:
    return connect(services.settings()["REDIS_URL"])


def stage(function: Callable[[Run], Output]) -> dramatiq.Actor[[str], None]:
    """Make a stage's function its actor, with the stage's queue and retries; `handoff.carry` goes around it."""
    policy = stages.named(function.__name__)

    @functools.wraps(function)
    def carried(key: str) -> None:
        message = CurrentMessage.get_current_message()
        run = run_of(message) if message else Run(policy, keys.parse(key, services.settings()["S3_PREFIX"]))
        handoff.carry(run, function, services.store(), services.warehouse(), send)

    declare = dramatiq.actor(
        broker=broker(),
        actor_name=policy.actor,
        queue_name=policy.name,
        max_retries=policy.max_retries,
        min_backoff=_milliseconds(policy.min_backoff),
        max_backoff=_milliseconds(policy.max_backoff),
        time_limit=_milliseconds(policy.time_limit),
        throws=(Permanent, Invalid),
    )
    return declare(carried)


def send(run: Run, seconds: float = 0) -> None:
    """Enqueue the message of a run; raises Unreachable when Redis is down."""
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=run.stage.name,
        actor_name=run.stage.actor,
        args=(str(run.key),),
        kwargs={},
        options={"generation": run.generation, "request": run.request, "is_last": run.is_last},
        message_id=run.message_id,
    )
    try:
        broker().declare_queue(run.stage.name)
        broker().enqueue(message, delay=round(1000 * seconds) or None)
    except OUTAGES as error:
        raise Unreachable("Redis does not answer.") from error


def run_of(message: "dramatiq.Message[Any] | dramatiq.MessageProxy") -> Run:
    """The run that a message asks for; raises Invalid for a key or an actor that is none."""
    options = message.options
    key = keys.parse(message.args[0], services.settings()["S3_PREFIX"])
    return Run(
        stages.named(message.actor_name),
        key,
        options.get("generation", 0),
        options.get("request"),
        is_last=options.get("is_last", False),
    )


def _milliseconds(span: timedelta) -> int:
    return round(1000 * span.total_seconds())


def reach() -> None:
    """Raises Unreachable at once when Redis is down: asked before anything is changed that needs a message."""
    url = services.settings()["REDIS_URL"]
    if not is_up({"OTCPIPE_REDIS_URL": url}):
        raise Unreachable(f"Redis at {urlsplit(url).hostname}:{urlsplit(url).port or 6379} does not answer.")


def is_up(environment: Mapping[str, str]) -> bool:
    """Whether the server of OTCPIPE_REDIS_URL answers."""
    client = redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"], socket_timeout=2, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
