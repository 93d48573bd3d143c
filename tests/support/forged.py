"""Forged and damaged messages in Redis, each of which must end as a dead letter."""

import json
import uuid
from collections.abc import Iterator
from random import Random
from typing import Any

from otcpipe.broker.messages import message_of
from otcpipe.pipeline.ledger import Run

YEAR_10000_MS = 253_402_300_800_000
NUMBERS = [-1, 0.5, 1e300, 2**53, 2**70, 10**30, -(2**63), "1", "", [], {}, None, True, "nan"]
TEXTS = ["", "a null \0", "\ud800", "\u202e", "x" * 1000, "a\nb", 7, 1.5, [], {"a": 1}, True]
FIELDS: dict[str, list[Any]] = {
    "queue_name": [*TEXTS, None, "../x", "parse.XQ", "nowhere", "fetch.DQ.DQ"],
    "actor_name": [*TEXTS, None, "../x", "nothing", "cook_file", "__class__"],
    "args": ["", "abc", None, 7, {}, {"a": 1}, [], [[]], [None], [7], [{}], ["x"], ["a", "b"], ["../../etc/passwd"]],
    "kwargs": [None, [], "x", {"key": "x"}, {"run": 1}, 7],
    "options": [None, [], "x", 7, True],
    "message_id": [*TEXTS, None],
    "message_timestamp": [*NUMBERS, YEAR_10000_MS],
}
OPTIONS: dict[str, list[Any]] = {
    "generation": NUMBERS,
    "request": TEXTS,
    "is_last": [0, 1, "true", None, [], {}],
    "ours": [*TEXTS, "nobody", "{00000000-0000-0000-0000-000000000000}"],
    "redis_message_id": [*TEXTS, None, "another"],
    "eta": [*NUMBERS, YEAR_10000_MS, float("nan"), float("inf")],
    "retries": NUMBERS,
    "max_retries": [-1, 0.5, 2**70, "1", [], True],
    "min_backoff": [*NUMBERS, 0],
    "max_backoff": [*NUMBERS, 0],
    "time_limit": [*NUMBERS, 0],
    "requeue_timestamp": [*NUMBERS, YEAR_10000_MS],
    "traceback": [7, [], {}, None, True],
    "traceparent": [*TEXTS, None, "00-0-0-00", f"00-{'A' * 32}-{'a' * 16}-01", f"00-{'a' * 32}-{'a' * 16}-01\n"],
    "throws": ["ValueError", 7, [], None],
    "on_retry_exhausted": ["parse_file", 7],
    "pipe_target": [{}, "x"],
    "something": [1],
}
BODIES = [
    b"",
    b"{",
    b"null",
    b"7",
    b"[]",
    b"{}",
    b"\xff\xfe\x00",
    b"\x00",
    b"[" * 60_000,
    b'{"a":' * 12_000,
    b"9" * 60_000,
    "{}".encode("utf-16"),
    b" " * 3_000_000,
    b'"' + b"x" * 5_000_000 + b'"',
]
Forged = tuple[str, bytes, bytes]  # queue, id in Redis and body


def kinds(run: Run) -> Iterator[Forged]:
    """Yield one message of every kind, in the queue of the run's stage or in its queue of delayed messages."""
    for name, values in FIELDS.items():
        for value in values:
            yield _of(run, name, value)
        yield _without(run, name)
    yield _of(run, "extra", 1)
    for name, values in OPTIONS.items():
        for value in values:
            yield _of_option(run, name, value)
    for body in BODIES:
        yield run.stage.name, _id(), body
    for start in (b"\xff\xfe", b"a\0b", b"i" * 5_000, "\u202e".encode()):
        odd = start + run.stage.name.encode()
        fields = _fields(run, odd.decode(errors="backslashreplace"))
        yield run.stage.name, odd, json.dumps(fields).encode()
    delayed = _fields(run, str(uuid.uuid4()))
    yield f"{run.stage.name}.DQ", delayed["options"]["redis_message_id"].encode(), json.dumps(delayed).encode()


def damaged(run: Run, random: Random) -> Forged:
    """Return a truncated message of the run, or one with two random invalid values."""
    queue, name, body = random.choice([_of, _of_any_option])(run, *_value(FIELDS, random))
    return queue, name, body[: random.randrange(len(body))] if random.random() < 0.5 else body


def _value(table: dict[str, list[Any]], random: Random) -> tuple[str, Any]:
    name = random.choice(list(table))
    return name, random.choice(table[name])


def _of_any_option(run: Run, name: str, value: object) -> Forged:
    """Return whether a field is invalid, or an option is unknown."""
    queue, redis_id, body = _of(run, name, value)
    fields = json.loads(body)
    if isinstance(fields.get("options"), dict):
        fields["options"]["throws"] = name
    return queue, redis_id, json.dumps(fields).encode()


def _of(run: Run, name: str, value: object) -> Forged:
    redis_id = str(uuid.uuid4())
    return run.stage.name, redis_id.encode(), json.dumps(_fields(run, redis_id) | {name: value}).encode()


def _without(run: Run, name: str) -> Forged:
    redis_id = str(uuid.uuid4())
    fields = _fields(run, redis_id)
    del fields[name]
    return run.stage.name, redis_id.encode(), json.dumps(fields).encode()


def _of_option(run: Run, name: str, value: object) -> Forged:
    redis_id = str(uuid.uuid4())
    fields = _fields(run, redis_id)
    fields["options"][name] = value
    queue = run.stage.name
    if name == "eta":
        queue = fields["queue_name"] = f"{queue}.DQ"
    return queue, redis_id.encode(), json.dumps(fields).encode()


def _fields(run: Run, redis_id: str) -> dict[str, Any]:
    """Return a well-formed message as Redis holds it."""
    fields = message_of(run).asdict()
    return fields | {"options": fields["options"] | {"redis_message_id": redis_id}}


def _id() -> bytes:
    return str(uuid.uuid4()).encode()
