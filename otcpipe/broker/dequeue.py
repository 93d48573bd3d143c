"""Messages taken from a queue in Redis with the ids under which they lie: a message may lie about its own."""

from typing import Any

import redis

from otcpipe.broker.key_types import NAMESPACE
from otcpipe.broker.messages import MOST_BYTES

MOST_AT_ONCE = 1 << 20  # bytes of messages; the last one may go beyond

# As Dramatiq's own fetch, but with the ids, and no more of a message than shows that it is too long.
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


def take(client: "redis.Redis", worker: str, queue: str, most: int) -> list[tuple[bytes, bytes | None]]:
    """Return up to so many ids from a queue with their messages, which the worker now has to settle.

    None stands where an id has no message. Of one that is too long there is a byte too many.
    """
    name = f"{NAMESPACE}:{queue}"
    names = [name, f"{name}.msgs", f"{NAMESPACE}:__acks__.{worker}.{queue}"]
    found: Any = client.eval(TAKE, len(names), *names, most, MOST_BYTES + 1, MOST_AT_ONCE)
    return [*zip(found[::2], found[1::2], strict=True)]
