"""The messages that Redis holds and that are still to be processed or recorded."""

from datetime import UTC, datetime
from typing import Any

from otcpipe.broker import messages
from otcpipe.broker.redis_broker import FailClosedBroker
from otcpipe.errors import Invalid

# The ids and bodies of a hash of messages, without bodies that are too long to be a message.
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


def message_ids(broker: FailClosedBroker) -> set[str]:
    """Return the ids of the messages that wait, that a live worker holds, or that are dead and not recorded yet."""
    client: Any = broker.client
    space = broker.namespace
    oldest = datetime.now(UTC).timestamp() * 1000 - broker.heartbeat_timeout
    live: list[bytes] = client.zrangebyscore(f"{space}:__heartbeats__", oldest, "+inf")
    queues = sorted(broker.queues | broker.delay_queues)
    with client.pipeline() as pipeline:  # one transaction, since messages move between queues
        for queue in queues:
            pipeline.eval(BODIES, 1, f"{space}:{queue}.msgs", messages.MAX_BYTES)
            pipeline.eval(BODIES, 1, f"{space}:{queue}.XQ.msgs", messages.MAX_BYTES)
            pipeline.lrange(f"{space}:{queue}", 0, -1)
            for worker in live:
                pipeline.smembers(f"{space}:__acks__.".encode() + worker + f".{queue}".encode())
        replies = iter(pipeline.execute())
    found = list[bytes]()
    for _ in queues:
        bodies, dead, waiting, *held = (next(replies) for _ in range(3 + len(live)))
        known = set(waiting).union(*held)
        found += dead[1::2]
        found += [body for name, body in zip(bodies[::2], bodies[1::2], strict=True) if name in known]
    return {message_id for message_id in map(_message_id, found) if message_id}


def _message_id(body: bytes) -> str | None:
    try:
        return messages.decode(body).message_id
    except Invalid:
        return None
