"""What Redis knows of the work: messages of each queue, who consumes it, requests to FINRA. Read only."""

import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from otcpipe.broker import key_types
from otcpipe.broker.key_types import NAMESPACE
from otcpipe.errors import Unreachable
from otcpipe.finra import rate_limit
from otcpipe.pipeline import definition

TIMEOUT_SECONDS = 2.0
SEEN_SECONDS = 30  # a consumer says every five that it is there


@dataclass(frozen=True)
class Queue:
    """Messages that wait, that workers have in hand, and that come later; the machines whose workers consume it.

    `still_seconds` is how long no message was taken or done although there were some; None where that is not known.
    """

    waiting: int
    in_hand: int
    delayed: int
    consumers: tuple[str, ...]
    delay_consumers: tuple[str, ...] = ()
    still_seconds: float | None = None


@dataclass(frozen=True)
class Requests:
    """Requests to FINRA since Redis began to count, and the seconds that the next one would have to wait."""

    total: int
    wait_seconds: float


@dataclass(frozen=True)
class Server:
    """The version, what is thrown away when the memory is full, and the server's clock."""

    version: str
    policy: str
    now: datetime


class Queues:
    """A client that gives up at once; every method raises Unreachable when Redis does not answer."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.address = f"{parts.hostname}:{parts.port or 6379}"
        self._user = unquote(parts.username or "") or "default"
        self._client: Any = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    def all(self) -> dict[str, Queue]:
        """Every stage's queue, by the stage's name."""
        with self._translate_errors():
            return {stage.name: self._queue(stage.name) for stage in definition.PIPELINE}

    def requests(self) -> Requests:
        with self._translate_errors():
            total, slot = map(_number, self._client.mget(rate_limit.COUNT, rate_limit.KEY))
            seconds, microseconds = self._client.time()
        wait = slot / 1e6 - seconds - microseconds / 1e6
        return Requests(round(total), wait if 0 < wait < rate_limit.MAX_WAIT_SECONDS else 0.0)

    def wrong(self) -> dict[str, str]:
        """Return what is wrong with each key of another type than the broker's."""
        with self._translate_errors():
            return key_types.wrong(self._client, [stage.name for stage in definition.PIPELINE])

    def server(self) -> Server:
        with self._translate_errors():
            found, (seconds, microseconds) = self._client.info(), self._client.time()
        name = "Valkey" if "valkey_version" in found else "Redis"
        version = found.get("valkey_version") or found["redis_version"]
        now = datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
        return Server(f"{name} {version}", found.get("maxmemory_policy", "unknown"), now)

    def reach(self) -> None:
        """Nothing, where Redis answers."""
        with self._translate_errors():
            self._client.ping()

    def close(self) -> None:
        self._client.close()

    def _queue(self, name: str) -> Queue:
        queue = f"{NAMESPACE}:{name}"
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.llen(queue).hlen(f"{queue}.msgs").hlen(f"{queue}.DQ.msgs").get(moved_key(name)).time()
            replies = pipeline.execute(raise_on_error=False)
        # a key of another type counts nothing: see `wrong`
        *counts, moved, (seconds, _) = replies
        waiting, known, delayed = (count if isinstance(count, int) else 0 for count in counts)
        in_hand = max(0, known - waiting)
        still = seconds - _number(moved) if moved and waiting + in_hand else None
        return Queue(waiting, in_hand, delayed, self._hosts(name), self._hosts(f"{name}.DQ"), still)

    def _hosts(self, queue: str) -> tuple[str, ...]:
        start = consumer_key(queue, "")
        return tuple(sorted(key.removeprefix(start) for key in self._client.scan_iter(f"{start}*")))

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except redis.AuthenticationError:
            raise Unreachable(f"Redis at {self.address} refuses the password of user {self._user}.") from None
        except (redis.RedisError, OSError) as error:  # OSError: a file of certificates that is not there
            raise Unreachable(f"Redis at {self.address} does not answer: {type(error).__name__}.") from error


def consumer_key(queue: str, host: str) -> str:
    """Exists for half a minute after a worker of the host looked for messages on the queue."""
    return f"{NAMESPACE}:consumer:{queue}:{host}"


def moved_key(queue: str) -> str:
    """Holds the second, by the server's clock, when a message was last taken or done, or none was there."""
    return f"{NAMESPACE}:moved:{queue}"


def _number(text: object) -> float:
    """A number that Redis holds as text; 0 where it holds something else."""
    try:
        found = float(text) if isinstance(text, str) else 0.0
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0


def this_host() -> str:
    return socket.gethostname()
