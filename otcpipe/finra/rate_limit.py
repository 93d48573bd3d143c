"""One rate limit for all workers on all machines: slots reserved in Redis, by the server's clock.

GCRA, the generic cell rate algorithm (ITU-T I.371): each request reserves the next free slot, 1/rate after the last.
"""

import time

import redis

from otcpipe.errors import Unreachable

RESERVE = """
local now = redis.call('time')
now = now[1] * 1000000 + now[2]
local found = redis.pcall('get', KEYS[1])
local slot = type(found) == 'string' and tonumber(found) or 0
if not (slot > now and slot < now + ARGV[2]) then
  slot = now
end
redis.call('set', KEYS[1], string.format('%.0f', slot + ARGV[1]), 'px', 3600000)
if type(redis.pcall('incr', KEYS[2])) ~= 'number' then
  redis.call('set', KEYS[2], 1)
end
return slot - now
"""
MAX_WAIT_SECONDS = 600  # a stored slot later than that is invalid and ignored
KEY = "otcpipe:finra:next-slot"
COUNT = "otcpipe:finra:requests"  # for telemetry


class RateLimit:
    """At most `per_second` requests a second, over all processes that use this Redis."""

    def __init__(self, url: str, per_second: int) -> None:
        self._interval = 1 / per_second
        self._client = redis.Redis.from_url(url, socket_timeout=10)
        self._reserve = self._client.register_script(RESERVE)

    def wait_turn(self) -> None:
        """Sleep until a reserved slot; a slot missed by oversleeping is skipped, or requests would bunch behind it.

        Raises Unreachable if Redis does not answer.
        """
        is_late = True
        while is_late:
            try:
                microseconds = self._reserve(
                    keys=[KEY, COUNT], args=[round(1_000_000 * self._interval), 1_000_000 * MAX_WAIT_SECONDS]
                )
            except (redis.ConnectionError, redis.TimeoutError) as error:
                raise Unreachable("Redis, which keeps the rate limit, does not answer.") from error
            slot = time.monotonic() + microseconds / 1_000_000
            time.sleep(max(0.0, slot - time.monotonic()))
            is_late = time.monotonic() - slot > self._interval / 2
