"""The broker with its middleware, the actors on it, and what is done with its messages beside their stages."""

import functools
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar

import dramatiq
import redis
from dramatiq.middleware import CurrentMessage, Shutdown
from dramatiq.middleware.retries import Retries
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.retry import Retry

from otcpipe import resources
from otcpipe.broker import in_flight, key_types
from otcpipe.broker.messages import admit, message_of, read, run_of
from otcpipe.broker.middleware import DeadLetters, Housekeeping, Logs, TimeLimits, WorkerTuning
from otcpipe.broker.queues import Queues
from otcpipe.broker.redis_broker import FailClosedBroker
from otcpipe.errors import Invalid, Permanent, Unreachable
from otcpipe.pipeline import dead_letters, definition, recovery
from otcpipe.pipeline.dead_letters import Failure
from otcpipe.pipeline.execution import StageExecutor
from otcpipe.pipeline.ledger import Run
from otcpipe.records import StageResult
from otcpipe.storage import keys

log = logging.getLogger(__name__)
Result = TypeVar("Result")


def connect(url: str) -> FailClosedBroker:
    """The broker with its middleware: what must see a message's final state stands before Retries."""
    client = redis.Redis.from_url(
        url,
        retry=Retry(ExponentialWithJitterBackoff(cap=2, base=0.05), 25),
        socket_timeout=10,
        health_check_interval=30,
    )
    rounds = Housekeeping(often=record_deaths, seldom=send_stranded)
    middleware = [
        CurrentMessage(),
        Logs(run_of),
        WorkerTuning(),
        rounds,
        DeadLetters(note_cause, record=rounds.wake),
        Retries(),
        TimeLimits(),
    ]
    return FailClosedBroker(client, middleware, resources.lease(), admit, note_refusal)


@functools.cache
def broker() -> FailClosedBroker:
    return connect(resources.settings()["REDIS_URL"])


def stage(function: Callable[[Run], StageResult]) -> dramatiq.Actor[[str], None]:
    """Make a stage's function its actor, with the stage's queue and retries; a Carrier goes around it."""
    policy = definition.named(function.__name__)

    @functools.wraps(function)
    def carried(key: str) -> None:
        message = CurrentMessage.get_current_message()
        run = run_of(message) if message else Run(policy, keys.parse(key, resources.settings()["S3_PREFIX"]))
        try:
            StageExecutor(resources.store(), resources.database(), send, resources.lease()).execute(run, function)
        except Shutdown:
            log.info("%s %s goes on elsewhere: this worker stops.", run.stage.name, run.key)
            send(run)

    declare = dramatiq.actor(
        broker=broker(),
        actor_name=policy.actor,
        queue_name=policy.name,
        priority=-definition.PIPELINE.index(policy),  # what is nearest to its end goes first: a week before the next
        max_retries=policy.max_retries,
        min_backoff=_milliseconds(policy.min_backoff),
        max_backoff=_milliseconds(policy.max_backoff),
        time_limit=_milliseconds(policy.time_limit),
        throws=(Permanent, Invalid),
    )
    return declare(carried)


def send(run: Run, seconds: float = 0) -> None:
    """Enqueue the message of a run; raises Unreachable when Redis is down."""
    broker().declare_queue(run.stage.name)
    _on_redis(lambda: broker().enqueue(message_of(run), delay=round(1000 * seconds) or None))


def note_cause(redis_message_id: str, cause: Failure) -> None:
    in_flight.note_cause(broker(), redis_message_id, cause)


def note_refusal(redis_message_id: bytes, error: Invalid) -> None:
    """Keep why a message is set aside that no worker may have."""
    in_flight.note_cause(broker(), redis_message_id, Failure(dead_letters.UNREADABLE, str(error), None, 1))


def record_deaths() -> None:
    """Bring dead messages from Redis into Postgres, from where they never go; one that cannot holds up no other."""
    _on_redis(_record_deaths)


def _record_deaths() -> None:
    for death in in_flight.deaths(_with_all_queues()):
        try:
            is_recorded = dead_letters.record(resources.database(), death, read)
        except Unreachable:
            raise
        except Exception:  # whatever is the matter with one, the others are recorded
            log.exception("the death of %s cannot be recorded", death.redis_message_id)
            continue
        if is_recorded:
            in_flight.forget(broker(), death)


def message_ids() -> set[str]:
    """The ids of all messages that wait, that a living worker has, or whose death is to be recorded."""
    return _on_redis(lambda: in_flight.message_ids(_with_all_queues()))


def send_stranded() -> list[recovery.Finding]:
    """Send all that is due and that nobody is at; what was sent."""
    settings = resources.settings()
    return recovery.send_stranded(
        resources.database(), resources.store(), settings["S3_PREFIX"], message_ids(), settings.now(), send
    )


def _with_all_queues() -> FailClosedBroker:
    for policy in definition.PIPELINE:
        broker().declare_queue(policy.name)
    return broker()


def _on_redis(work: Callable[[], Result]) -> Result:
    """What the work gives; keys of a wrong type are set aside first. Raises Unreachable when Redis is down."""
    try:
        try:
            return work()
        except redis.ResponseError as error:
            if not key_types.is_wrong_type(error) or not key_types.set_aside(broker().client, broker().queues):
                raise
            return work()
    except redis.ResponseError as error:
        raise Unreachable(f"Redis refuses: {error}.") from error
    except redis.AuthenticationError as error:
        raise Unreachable("Redis refuses the password in OTCPIPE_REDIS_URL.") from error
    except redis.RedisError as error:
        raise Unreachable("Redis does not answer.") from error


def _milliseconds(span: timedelta) -> int:
    return round(1000 * span.total_seconds())


def ping() -> None:
    """Raises Unreachable at once when Redis is down: asked before anything is changed that needs a message."""
    queues = Queues(resources.settings()["REDIS_URL"])
    try:
        queues.reach()
    finally:
        queues.close()


def is_up(environment: Mapping[str, str]) -> bool:
    """Whether the server of OTCPIPE_REDIS_URL answers."""
    client = redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"], socket_timeout=2, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
