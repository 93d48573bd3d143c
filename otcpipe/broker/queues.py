"""A read-only view of Redis: messages and consumers of each queue, requests to FINRA, the server."""

import json
import math
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
from otcpipe.broker.activity import consumer_key, moved_key
from otcpipe.broker.key_types import NAMESPACE
from otcpipe.errors import Unreachable
from otcpipe.finra import rate_limit
from otcpipe.pipeline import definition

TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class Queue:
    """Numbers of messages that wait, that workers hold and that are delayed; the machines whose workers consume them.

    `still_seconds` is how long no message was taken or done although there were some; None if that is unknown.
    """

    waiting: int
    in_hand: int
    delayed: int
    consumers: tuple[str, ...]
    delay_consumers: tuple[str, ...] = ()
    still_seconds: float | None = None


@dataclass(frozen=True)
class Requests:
    """The number of requests to FINRA since Redis was empty, and the seconds that the next one has to wait."""

    total: int
    wait_seconds: float


@dataclass(frozen=True)
class Server:
    """Name and version of the server, its eviction policy, and its clock."""

    version: str
    policy: str
    now: datetime


class Queues:
    """A client without retries. Every method raises Unreachable if Redis does not answer within two seconds."""

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
        """Return every stage's queue by the stage's name."""
        with self._translate_errors():
            return {stage.name: self._queue(stage.name) for stage in definition.PIPELINE}

    def next_attempts(self) -> dict[str, datetime]:
        """Return when the delayed message of each key is delivered."""
        found: dict[str, datetime] = {}
        with self._translate_errors():
            for stage in definition.PIPELINE:
                for text in self._client.hvals(f"{NAMESPACE}:{stage.name}.DQ.msgs"):
                    found |= _next_attempt(text)
        return found

    def requests(self) -> Requests:
        """Return the count of requests to FINRA and the current wait."""
        with self._translate_errors():
            total, slot = map(_number, self._client.mget(rate_limit.COUNT, rate_limit.KEY))
            seconds, microseconds = self._client.time()
        wait = slot / 1e6 - seconds - microseconds / 1e6
        return Requests(round(total), wait if 0 < wait < rate_limit.MAX_WAIT_SECONDS else 0.0)

    def wrong(self) -> dict[str, str]:
        """Return the keys that have a wrong type, as `key_types.wrong` does."""
        with self._translate_errors():
            return key_types.wrong(self._client, [stage.name for stage in definition.PIPELINE])

    def server(self) -> Server:
        """Return what the server says about itself."""
        with self._translate_errors():
            found, (seconds, microseconds) = self._client.info(), self._client.time()
        name = "Valkey" if "valkey_version" in found else "Redis"
        version = found.get("valkey_version") or found["redis_version"]
        now = datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
        return Server(f"{name} {version}", found.get("maxmemory_policy", "unknown"), now)

    def ping(self) -> None:
        """Return if Redis answers."""
        with self._translate_errors():
            self._client.ping()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _queue(self, name: str) -> Queue:
        queue = f"{NAMESPACE}:{name}"
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.llen(queue).hlen(f"{queue}.msgs").hlen(f"{queue}.DQ.msgs").get(moved_key(name)).time()
            replies = pipeline.execute(raise_on_error=False)
        # the reply for a key of a wrong type is an error, which counts as 0: see `wrong`
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
        except (redis.RedisError, OSError) as error:  # OSError: a file of certificates is missing
            raise Unreachable(f"Redis at {self.address} does not answer: {type(error).__name__}.") from error


def _next_attempt(text: str) -> dict[str, datetime]:
    """Return when a delayed message is delivered, by its key; nothing for one that cannot be read."""
    try:
        message = json.loads(text)
        return {str(message["args"][0]): datetime.fromtimestamp(message["options"]["eta"] / 1000, UTC)}
    except (ValueError, KeyError, IndexError, TypeError, OverflowError):
        return {}


def _number(text: object) -> float:
    """Return a number that Redis holds as text; 0 for anything else."""
    try:
        found = float(text) if isinstance(text, str) else 0.0
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0
