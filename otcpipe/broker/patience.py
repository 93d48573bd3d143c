"""How long a worker tries to reach Redis again."""

import time

import redis
from redis.backoff import AbstractBackoff, ExponentialWithJitterBackoff

LAST_SECONDS = 5.0  # of a worker that shuts down; what it cannot settle by then, another worker does again


class Patience(AbstractBackoff):
    """Waits longer after each failure, up to two seconds; once `end_soon` is called, gives up within five seconds."""

    def __init__(self) -> None:
        self._backoff = ExponentialWithJitterBackoff(cap=2, base=0.05)
        self._last: float | None = None

    def __deepcopy__(self, _: object) -> "Patience":
        """Return the same object: each connection copies its retries, and `end_soon` is for all of them."""
        return self

    def end_soon(self) -> None:
        """Give up on everything that does not succeed in the next seconds."""
        self._last = time.monotonic() + LAST_SECONDS

    def compute(self, failures: int) -> float:
        """Return the seconds to wait after a failure; raises ConnectionError when it is time to give up."""
        if self._last is not None and time.monotonic() > self._last:
            raise redis.ConnectionError("Redis does not answer, and the worker shuts down.")
        return float(self._backoff.compute(failures))
