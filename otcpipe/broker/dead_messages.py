"""Dead messages in Redis, kept with their failure until they are recorded in PostgreSQL."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from otcpipe.broker import messages
from otcpipe.broker.key_types import FAILURES
from otcpipe.broker.redis_broker import FailClosedBroker
from otcpipe.pipeline.dead_letters import DeadMessage, moment
from otcpipe.pipeline.failures import Failure

MAX_ID_BYTES = 300  # of an id in Redis; a longer one is recorded as its digest

# The first bytes of one message.
BEGINNING = "return string.sub(redis.call('hget', KEYS[1], ARGV[1]) or '', 1, tonumber(ARGV[2]))"


def note_failure(broker: FailClosedBroker, redis_message_id: str | bytes, failure: Failure) -> None:
    """Store why a message died until it is recorded; the message's body stays as it was sent."""
    broker.client.hset(FAILURES, redis_message_id, json.dumps(asdict(failure)))


def unrecorded(broker: FailClosedBroker) -> Iterator[DeadMessage]:
    """Yield the dead messages that are not recorded yet; a body that is too long is truncated."""
    client: Any = broker.client
    for queue in sorted(broker.queues):
        place = f"{broker.namespace}:{queue}.XQ"
        names: list[tuple[bytes, float]] = client.zrange(place, 0, -1, withscores=True)
        for name, died in names:
            body: bytes = client.eval(BEGINNING, 1, f"{place}.msgs", name, messages.MAX_BYTES + 1)
            failure = Failure.from_json(client.hget(FAILURES, name) or b"")
            actor, sent = messages.peek(body)
            last_at = moment(died) or datetime.now(UTC)
            first_at = None if sent is None else moment(sent)
            yield DeadMessage(_storable_id(name), queue, body, last_at, failure, actor, first_at, name)


def forget(broker: FailClosedBroker, dead: DeadMessage) -> None:
    """Delete a dead message that was recorded, with its failure."""
    place = f"{broker.namespace}:{dead.queue}.XQ"
    name = dead.name or dead.redis_message_id.encode()
    with broker.client.pipeline() as pipeline:
        pipeline.zrem(place, name)
        pipeline.hdel(f"{place}.msgs", name)
        pipeline.hdel(FAILURES, name)
        pipeline.execute()


def _storable_id(name: bytes) -> str:
    """Return an id as text that a table accepts and an index can hold."""
    text = name.decode(errors="backslashreplace")
    is_storable = len(name) <= MAX_ID_BYTES and text.isprintable()
    return text if is_storable else f"sha256:{hashlib.sha256(name).hexdigest()}"
