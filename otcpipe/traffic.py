"""What Redis holds of messages: those on their way, and the dead that wait to be recorded."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dramatiq
from dramatiq.errors import DecodeError

from otcpipe.failclosed import FailClosedBroker
from otcpipe.letters import Cause, Death, moment

CAUSES = "otcpipe:causes"  # of deaths, by the message's id in Redis


def message_ids(broker: FailClosedBroker) -> set[str]:
    """The ids of the messages that wait in a queue, that a living worker has, or whose death is to be recorded."""
    client: Any = broker.client
    space = broker.namespace
    oldest = datetime.now(UTC).timestamp() * 1000 - broker.heartbeat_timeout
    living = [name.decode() for name in client.zrangebyscore(f"{space}:__heartbeats__", oldest, "+inf")]
    queues = sorted(broker.queues | broker.delay_queues)
    with client.pipeline() as pipeline:  # one moment's picture: messages move from queue to queue
        for queue in queues:
            pipeline.hgetall(f"{space}:{queue}.msgs")
            pipeline.hvals(f"{space}:{queue}.XQ.msgs")
            pipeline.lrange(f"{space}:{queue}", 0, -1)
            for name in living:
                pipeline.smembers(f"{space}:__acks__.{name}.{queue}")
        replies = iter(pipeline.execute())
    found = list[bytes]()
    for _ in queues:
        bodies, dead, waiting, *held = (next(replies) for _ in range(3 + len(living)))
        known = set(waiting).union(*held)
        found += [*dead, *(body for name, body in bodies.items() if name in known)]
    return {message.message_id for message in map(_decode, found) if message}


def note_cause(broker: FailClosedBroker, redis_message_id: str, cause: Cause) -> None:
    """Keep why a message dies until its death is recorded: the body itself stays as it was sent."""
    broker.client.hset(CAUSES, redis_message_id, json.dumps(asdict(cause)))


def deaths(broker: FailClosedBroker) -> Iterator[Death]:
    """The dead that are not recorded yet."""
    client: Any = broker.client
    for queue in sorted(broker.queues):
        place = f"{broker.namespace}:{queue}.XQ"
        for name, died in client.zrange(place, 0, -1, withscores=True):
            body, noted = client.hget(f"{place}.msgs", name), client.hget(CAUSES, name)
            cause = Cause(**json.loads(noted)) if noted else None
            message = _decode(body or b"")
            sent = moment(message.message_timestamp) if message else None
            actor = message.actor_name if message else None
            yield Death(name.decode(), queue, body or b"", moment(died), cause, actor, sent)


def forget(broker: FailClosedBroker, death: Death) -> None:
    """Remove a dead message that was recorded."""
    place = f"{broker.namespace}:{death.queue}.XQ"
    with broker.client.pipeline() as pipeline:
        pipeline.zrem(place, death.redis_message_id)
        pipeline.hdel(f"{place}.msgs", death.redis_message_id)
        pipeline.hdel(CAUSES, death.redis_message_id)
        pipeline.execute()


def _decode(body: bytes) -> "dramatiq.Message[None] | None":
    try:
        return dramatiq.Message.decode(body)
    except DecodeError:
        return None
