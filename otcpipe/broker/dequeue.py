"""Take messages from a queue in Redis together with their ids in Redis, which a forged message could misstate."""

import time
from collections.abc import Collection
from typing import Any

import redis

from otcpipe.broker.key_types import NAMESPACE
from otcpipe.broker.messages import MAX_BYTES

MAX_BATCH = 1 << 20  # bytes of messages taken at once; the last message may exceed it

# Like Dramatiq's own fetch, but returns the ids, and of a message at most one byte more than is allowed.
TAKE = """
local taken, bytes = {}, 0
for _ = 1, tonumber(ARGV[1]) do
  local id = bytes < tonumber(ARGV[3]) and redis.call('lpop', KEYS[1])
  if not id then
    break
  end
  redis.call('sadd', KEYS[3], id)
  local body = redis.call('hget', KEYS[2], id)
  if body then
    body = string.sub(body, 1, tonumber(ARGV[2]))
    bytes = bytes + string.len(body)
  end
  taken[#taken + 1] = id
  taken[#taken + 1] = body
end
return taken
"""

# The places of the queues that are not empty. A key of the wrong type counts, and is found when it is taken from.
FILLED = """
local filled = {}
for place, queue in ipairs(KEYS) do
  if redis.call('exists', queue) == 1 then
    filled[#filled + 1] = place
  end
end
return filled
"""


def take(client: "redis.Redis", worker: str, queue: str, limit: int) -> list[tuple[bytes, bytes | None]]:
    """Take up to `limit` messages from a queue and return (id, body) of each; the worker has to ack or nack them.

    The body is None if the id has no message. A body that is too long is cut one byte after the limit.
    """
    name = f"{NAMESPACE}:{queue}"
    names = [name, f"{name}.msgs", f"{NAMESPACE}:__acks__.{worker}.{queue}"]
    found: Any = client.eval(TAKE, len(names), *names, limit, MAX_BYTES + 1, MAX_BATCH)
    return [*zip(found[::2], found[1::2], strict=True)]


class FilledQueues:
    """The queues that hold messages, asked of Redis once for all consumers of a process.

    A dozen consumers that asked for themselves, ten times a second, would cost an idle worker five percent of a
    processor. Not safe for threads: one consumer at a time may ask.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self.client = client
        self.names: set[str] = set()
        self.asked_at = float("-inf")

    def update(self, queues: Collection[str], seconds: float) -> bool:
        """Ask again if what is known is older than `seconds`, and return whether it was."""
        now = time.monotonic()
        if now - self.asked_at < seconds:
            return False
        self.asked_at = now  # first: what moves while Redis answers is to be asked for again
        names = [*queues]
        found: Any = self.client.eval(FILLED, len(names), *(f"{NAMESPACE}:{name}" for name in names))
        self.names = {names[place - 1] for place in found}
        return True

    def forget(self) -> None:
        """Ask at the next update: messages have moved."""
        self.asked_at = float("-inf")
