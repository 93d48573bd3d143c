"""What Redis holds of messages: those on their way, and the dead that wait to be recorded."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from otcpipe.broker import messages
from otcpipe.broker.key_types import CAUSES
from otcpipe.broker.redis_broker import FailClosedBroker
from otcpipe.errors import Invalid
from otcpipe.pipeline.dead_letters import DeadMessage, Failure, moment

MOST_NAME = 300  # bytes of a message's id that are kept as they are

# The ids of a hash's messages and the messages, but none that is too long to be one.
BODIES = """
local found = {}
for _, id in ipairs(redis.call('hkeys', KEYS[1])) do
  if redis.call('hstrlen', KEYS[1], id) <= tonumber(ARGV[1]) then
    found[#found + 1] = id
    found[#found + 1] = redis.call('hget', KEYS[1], id)
  end
end
return found
"""
# The first bytes of one message.
BEGINNING = "return string.sub(redis.call('hget', KEYS[1], ARGV[1]) or '', 1, tonumber(ARGV[2]))"


def message_ids(broker: FailClosedBroker) -> set[str]:
    """The ids of the messages that wait in a queue, that a living worker has, or whose death is to be recorded."""
    client: Any = broker.client
    space = broker.namespace
    oldest = datetime.now(UTC).timestamp() * 1000 - broker.heartbeat_timeout
    living: list[bytes] = client.zrangebyscore(f"{space}:__heartbeats__", oldest, "+inf")
    queues = sorted(broker.queues | broker.delay_queues)
    with client.pipeline() as pipeline:  # one moment's picture: messages move from queue to queue
        for queue in queues:
            pipeline.eval(BODIES, 1, f"{space}:{queue}.msgs", messages.MOST_BYTES)
            pipeline.eval(BODIES, 1, f"{space}:{queue}.XQ.msgs", messages.MOST_BYTES)
            pipeline.lrange(f"{space}:{queue}", 0, -1)
            for name in living:
                pipeline.smembers(f"{space}:__acks__.".encode() + name + f".{queue}".encode())
        replies = iter(pipeline.execute())
    found = list[bytes]()
    for _ in queues:
        bodies, dead, waiting, *held = (next(replies) for _ in range(3 + len(living)))
        known = set(waiting).union(*held)
        found += dead[1::2]
        found += [body for name, body in zip(bodies[::2], bodies[1::2], strict=True) if name in known]
    return {message_id for message_id in map(_message_id, found) if message_id}


def note_cause(broker: FailClosedBroker, redis_message_id: str | bytes, cause: Failure) -> None:
    """Keep why a message dies until its death is recorded: the body itself stays as it was sent."""
    broker.client.hset(CAUSES, redis_message_id, json.dumps(asdict(cause)))


def deaths(broker: FailClosedBroker) -> Iterator[DeadMessage]:
    """The dead that are not recorded yet; of a message that is too long, its beginning."""
    client: Any = broker.client
    for queue in sorted(broker.queues):
        place = f"{broker.namespace}:{queue}.XQ"
        names: list[tuple[bytes, float]] = client.zrange(place, 0, -1, withscores=True)
        for name, died in names:
            body: bytes = client.eval(BEGINNING, 1, f"{place}.msgs", name, messages.MOST_BYTES + 1)
            cause = Failure.read(client.hget(CAUSES, name) or b"")
            actor, sent = messages.glimpse(body)
            last_at = moment(died) or datetime.now(UTC)
            first_at = None if sent is None else moment(sent)
            yield DeadMessage(_legible_id(name), queue, body, last_at, cause, actor, first_at, name)


def forget(broker: FailClosedBroker, death: DeadMessage) -> None:
    """Remove a dead message that was recorded."""
    place = f"{broker.namespace}:{death.queue}.XQ"
    name = death.name or death.redis_message_id.encode()
    with broker.client.pipeline() as pipeline:
        pipeline.zrem(place, name)
        pipeline.hdel(f"{place}.msgs", name)
        pipeline.hdel(CAUSES, name)
        pipeline.execute()


def _legible_id(name: bytes) -> str:
    """A message's id in Redis as text that a table takes and an index can hold."""
    text = name.decode(errors="backslashreplace")
    return text if len(name) <= MOST_NAME and text.isprintable() else f"sha256:{hashlib.sha256(name).hexdigest()}"


def _message_id(body: bytes) -> str | None:
    try:
        return messages.decode(body).message_id
    except Invalid:
        return None
