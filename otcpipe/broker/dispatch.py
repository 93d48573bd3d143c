"""What is done with messages besides executing them: sending, recording dead ones, finding lost ones.

Every function raises Unreachable if Redis does not answer. Keys of a wrong type are set aside first.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

import redis

from otcpipe import resources
from otcpipe.broker import dead_messages, in_flight, key_types
from otcpipe.broker.messages import message_of, read
from otcpipe.broker.redis_broker import FailClosedBroker
from otcpipe.errors import Outdated, Unreachable
from otcpipe.metrics import definitions
from otcpipe.pipeline import dead_letters, definition, recovery
from otcpipe.pipeline.ledger import Run
from otcpipe.storage import migrations

log = logging.getLogger(__name__)
Result = TypeVar("Result")


def send(broker: FailClosedBroker, run: Run, seconds: float = 0) -> None:
    """Enqueue the message of a run, to be processed after some seconds."""
    broker.declare_queue(run.stage.name)
    _translate_errors(broker, lambda: broker.enqueue(message_of(run), delay=round(1000 * seconds) or None))


def message_ids(broker: FailClosedBroker) -> set[str]:
    """Return the ids of all messages that wait, that a live worker holds, or that are dead and not recorded yet."""
    _declare_queues(broker)
    return _translate_errors(broker, lambda: in_flight.message_ids(broker))


def send_lost_runs(broker: FailClosedBroker) -> list[recovery.Finding]:
    """Send every run that is due but has neither a message nor a live worker, and return what was sent."""
    _require_current(broker)
    settings = resources.settings()
    return recovery.send_lost_runs(
        resources.database(),
        resources.store(),
        settings["S3_PREFIX"],
        message_ids(broker),
        settings.now(),
        lambda run: send(broker, run),
        settings.tiers,
    )


def record_dead_messages(broker: FailClosedBroker) -> None:
    """Move dead messages from Redis to PostgreSQL; one that cannot be recorded does not hold up the others."""
    _require_current(broker)
    _declare_queues(broker)
    _translate_errors(broker, lambda: _record_dead_messages(broker))


def _record_dead_messages(broker: FailClosedBroker) -> None:
    for dead in dead_messages.unrecorded(broker):
        try:
            is_recorded = dead_letters.record(resources.database(), dead, read)
        except Unreachable:
            raise
        except Exception:  # one bad message must not keep the others from being recorded
            log.exception("the dead message %s cannot be recorded", dead.redis_message_id)
            continue
        if is_recorded:
            dead_messages.forget(broker, dead)


def _require_current(broker: FailClosedBroker) -> None:
    """Let the broker take no message while the database is newer than this process, and raise Outdated then."""
    try:
        with resources.database().transaction() as transaction:
            migrations.require_current(transaction)
            definitions.require_known(transaction)
    except Outdated:
        broker.is_outdated = True
        raise
    broker.is_outdated = False


def _declare_queues(broker: FailClosedBroker) -> None:
    for policy in definition.PIPELINE:
        broker.declare_queue(policy.name)


def _translate_errors(broker: FailClosedBroker, work: Callable[[], Result]) -> Result:
    """Return the result of `work`; raises Unreachable for any error of Redis."""
    try:
        try:
            return work()
        except redis.ResponseError as error:
            if not key_types.is_wrong_type(error) or not key_types.set_aside(broker.client, broker.queues):
                raise
            return work()
    except redis.ResponseError as error:
        raise Unreachable(f"Redis refuses: {error}.") from error
    except redis.AuthenticationError as error:
        raise Unreachable("Redis refuses the password in OTCPIPE_REDIS_URL.") from error
    except redis.RedisError as error:
        raise Unreachable("Redis does not answer.") from error
