"""Redis keys whose value has a wrong type. Each would fail every command on its queue, so they are set aside."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import redis

log = logging.getLogger(__name__)
NAMESPACE = "otcpipe"
FAILURES = f"{NAMESPACE}:causes"  # of dead messages, by the message's id in Redis
SET_ASIDE = f"{NAMESPACE}:set-aside"


def is_wrong_type(error: redis.ResponseError) -> bool:
    """Return whether Redis refused a command because of its key's type."""
    return "WRONGTYPE" in str(error)


def wrong(client: "redis.Redis", queues: Iterable[str]) -> dict[str, str]:
    """Return the keys that have a wrong type, each with a phrase like "is a string instead of a list"."""
    return {
        key.decode(): f"is a {found} instead of a {wanted}"
        for key, found, wanted in _wrong(client, _expected(queues))
    }


def set_aside(client: "redis.Redis", queues: Iterable[str]) -> int:
    """Rename the keys that have a wrong type, including those of single workers; return how many there were."""
    expected = _expected(queues)
    expected |= dict.fromkeys(client.scan_iter(f"{NAMESPACE}:__acks__.*", count=1000), "set")
    found = _wrong(client, expected)
    for key, kind, wanted in found:
        place = f"{SET_ASIDE}:{datetime.now(UTC):%Y%m%dT%H%M%S.%f}".encode() + b":" + key
        log.error("The Redis key %r is a %s instead of a %s: it is now %r.", key, kind, wanted, place)
        try:
            client.rename(key, place)
        except redis.ResponseError:
            log.warning("The Redis key %r no longer exists.", key)
    return len(found)


def _expected(queues: Iterable[str]) -> dict[bytes, str]:
    """Return the expected type of each key of the broker."""
    found = {f"{NAMESPACE}:__heartbeats__": "zset", FAILURES: "hash"}
    for queue in queues:
        name = f"{NAMESPACE}:{queue}"
        found |= {name: "list", f"{name}.DQ": "list", f"{name}.XQ": "zset"}
        found |= {f"{name}.msgs": "hash", f"{name}.DQ.msgs": "hash", f"{name}.XQ.msgs": "hash"}
    return {key.encode(): kind for key, kind in found.items()}


def _wrong(client: "redis.Redis", expected: dict[bytes, str]) -> list[tuple[bytes, str, str]]:
    with client.pipeline(transaction=False) as pipeline:
        for key in expected:
            pipeline.type(key)
        kinds: list[Any] = pipeline.execute()
    found = [kind.decode() if isinstance(kind, bytes) else kind for kind in kinds]
    return [
        (key, kind, wanted)
        for (key, wanted), kind in zip(expected.items(), found, strict=True)
        if kind not in (wanted, "none")
    ]
