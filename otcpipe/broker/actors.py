"""The broker of this process and the actors on it."""

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta

import dramatiq
import redis
from dramatiq.middleware import CurrentMessage, Shutdown
from dramatiq.middleware.retries import Retries
from redis.backoff import NoBackoff
from redis.retry import Retry

from otcpipe import resources
from otcpipe.broker import dead_messages, dispatch
from otcpipe.broker.messages import admit, run_of
from otcpipe.broker.middleware.dead_letters import DeadLetters
from otcpipe.broker.middleware.housekeeping import Housekeeping
from otcpipe.broker.middleware.log_fields import LogFields
from otcpipe.broker.middleware.time_limits import TimeLimits
from otcpipe.broker.middleware.tracing import Tracing
from otcpipe.broker.middleware.worker_tuning import WorkerTuning
from otcpipe.broker.patience import Patience
from otcpipe.broker.queues import Queues
from otcpipe.broker.redis_broker import FailClosedBroker
from otcpipe.errors import Invalid, Permanent
from otcpipe.pipeline import dead_letters, definition, recovery
from otcpipe.pipeline.execution import Outcome, StageExecutor
from otcpipe.pipeline.failures import Failure
from otcpipe.pipeline.ledger import Run
from otcpipe.records import StageResult
from otcpipe.settings import logs
from otcpipe.storage import keys

log = logging.getLogger(__name__)


def connect(url: str) -> FailClosedBroker:
    """Return a broker with its middleware. Middleware that needs a message's final state precedes Retries."""
    patience = Patience()
    client = redis.Redis.from_url(url, retry=Retry(patience, 25), socket_timeout=10, health_check_interval=30)
    housekeeping = Housekeeping(often=record_dead_messages, seldom=send_lost_runs)
    middleware = [
        CurrentMessage(),
        LogFields(run_of),
        Tracing(),
        WorkerTuning(patience),
        housekeeping,
        DeadLetters(_note_failure, record=housekeeping.wake),
        Retries(),
        TimeLimits(),
    ]
    return FailClosedBroker(client, middleware, resources.lease(), admit, _note_refusal)


@functools.cache
def broker() -> FailClosedBroker:
    """Return the broker of this process, connected to OTCPIPE_REDIS_URL."""
    return connect(resources.settings()["REDIS_URL"])


def stage(function: Callable[[Run], StageResult]) -> dramatiq.Actor[[str], None]:
    """Make a stage's function its actor, on the stage's queue and with its retries.

    A StageExecutor runs the function. If the worker shuts down meanwhile, the run is sent again, for another worker.
    """
    policy = definition.named(function.__name__)

    @functools.wraps(function)
    def executed(key: str) -> None:
        message = CurrentMessage.get_current_message()
        run = run_of(message) if message else Run(policy, keys.parse(key, resources.settings()["S3_PREFIX"]))
        try:
            executor = StageExecutor(resources.store(), resources.database(), send, resources.lease())
            outcome = executor.execute(run, function)
        except Shutdown:
            log.info("%s %s is left to another worker: this one shuts down.", run.stage.name, run.key)
            send(run)
            outcome = Outcome("postponed", "Its worker shut down.", run.generation)
        logs.FIELDS.set({**logs.FIELDS.get(), **asdict(outcome)})

    declare = dramatiq.actor(
        broker=broker(),
        actor_name=policy.actor,
        queue_name=policy.name,
        priority=-definition.PIPELINE.index(policy),  # later stages first: one week is finished before the next
        max_retries=policy.max_retries,
        min_backoff=_milliseconds(policy.min_backoff),
        max_backoff=_milliseconds(policy.max_backoff),
        time_limit=_milliseconds(policy.time_limit),
        throws=(Permanent, Invalid),
    )
    return declare(executed)


def send(run: Run, seconds: float = 0) -> None:
    """Enqueue the message of a run; raises Unreachable if Redis does not answer."""
    dispatch.send(broker(), run, seconds)


def message_ids() -> set[str]:
    """Return the ids of all messages that wait, that a live worker holds, or that are dead and not recorded yet."""
    return dispatch.message_ids(broker())


def record_dead_messages() -> None:
    """Move dead messages from Redis to PostgreSQL."""
    dispatch.record_dead_messages(broker())


def send_lost_runs() -> list[recovery.Finding]:
    """Send every run that is due but has neither a message nor a live worker, and return what was sent."""
    return dispatch.send_lost_runs(broker())


def ping() -> None:
    """Raise Unreachable, without retries, if Redis does not answer: called before changes that need a message."""
    queues = Queues(resources.settings()["REDIS_URL"])
    try:
        queues.ping()
    finally:
        queues.close()


def is_up(environment: Mapping[str, str]) -> bool:
    """Return whether the server of OTCPIPE_REDIS_URL answers."""
    client = redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"], socket_timeout=2, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _note_failure(redis_message_id: str, failure: Failure) -> None:
    dead_messages.note_failure(broker(), redis_message_id, failure)


def _note_refusal(redis_message_id: bytes, error: Invalid) -> None:
    failure = Failure(dead_letters.UNREADABLE, str(error), None, 1)
    dead_messages.note_failure(broker(), redis_message_id, failure)


def _milliseconds(span: timedelta) -> int:
    return round(1000 * span.total_seconds())
