"""Runs of stages as Dramatiq's messages, and the checks of a message: whoever reaches Redis can write one."""

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from time import time
from typing import Any

import dramatiq

from otcpipe import resources
from otcpipe.errors import Invalid
from otcpipe.pipeline import definition
from otcpipe.pipeline.ledger import Run
from otcpipe.storage import keys

MOST_BYTES = 1 << 16  # of a message
MOST_CHARACTERS = 300  # of a text in it
MOST_GENERATION = 1 << 52
MOST_RETRIES = 1_000_000
LONGEST_DELAY = timedelta(days=1)
DAY_MS, YEAR_10000_MS = 86_400_000, 253_402_300_800_000
DELAYED = ".DQ"  # ends the name of a queue of delayed messages
SHOWN = 80  # characters of a value that is refused


def message_of(run: Run) -> "dramatiq.Message[None]":
    """Return the message that asks for a run; its id is the run's own."""
    return dramatiq.Message(
        queue_name=run.stage.name,
        actor_name=run.stage.actor,
        args=(str(run.key),),
        kwargs={},
        options={
            "generation": run.generation,
            "request": run.request,
            "is_last": run.is_last,
            "ours": run.ours and str(run.ours),
        },
        message_id=run.message_id,
    )


def run_of(message: "dramatiq.Message[Any] | dramatiq.MessageProxy") -> Run:
    """Return the run that a message asks for; raises Invalid for a message with anything wrong in it."""
    _check(message.asdict())
    stage, options = definition.named(message.actor_name), message.options
    queue = message.queue_name.removesuffix(DELAYED)
    if (queue, message.actor_name) != (stage.name, stage.actor):
        raise Invalid(f"The actor {_shown(message.actor_name)} does not work on the queue {_shown(queue)}.")
    if len(message.args) != 1 or not isinstance(message.args[0], str) or message.kwargs:
        raise Invalid("The message's arguments are not one key.")
    settings = resources.settings()
    key = keys.parse(message.args[0][: 2 * MOST_CHARACTERS], settings["S3_PREFIX"], settings.now())
    definition.reading(key, stage.name)
    return Run(
        stage,
        key,
        options.get("generation", 0),
        options.get("request"),
        is_last=options.get("is_last", False),
        ours=uuid.UUID(options["ours"]) if options.get("ours") else None,
    )


def decode(body: bytes) -> "dramatiq.Message[None]":
    """Return the message of a body; raises Invalid where a field is missing, unknown, or not what it should be."""
    if len(body) > MOST_BYTES:
        raise Invalid(f"The message is longer than {MOST_BYTES:,} bytes.")
    try:
        fields = json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The message cannot be decoded: {error}.") from error
    if not isinstance(fields, dict):
        raise Invalid("The message cannot be decoded: it is no JSON object.")
    _check(fields)
    return dramatiq.Message(**fields)


def read(body: bytes) -> Run:
    """Return the run that a message as Redis holds it asks for; raises Invalid."""
    return run_of(decode(body))


def envelope(body: bytes, queue: str, redis_message_id: bytes) -> "dramatiq.Message[None]":
    """Return the message that lay in a queue under an id; raises Invalid where it says otherwise itself."""
    message = decode(body)
    if message.queue_name != queue:
        raise Invalid(f"The message names the queue {_shown(message.queue_name)}, and lay in {queue}.")
    if message.options.get("redis_message_id", "").encode() != redis_message_id:
        raise Invalid("The message lay in Redis under another id than its own.")
    if ("eta" in message.options) != queue.endswith(DELAYED):
        raise Invalid("A message has an eta if it is delayed, and only then.")
    return message


def admit(body: bytes, queue: str, redis_message_id: bytes) -> "dramatiq.Message[None]":
    """Return the message if a worker may have it; raises Invalid. An unknown actor is left to Dramatiq."""
    message = envelope(body, queue, redis_message_id)
    if message.actor_name in {stage.actor for stage in definition.PIPELINE}:
        run_of(message)
    return message


def glimpse(body: bytes) -> tuple[str | None, int | None]:
    """Return a body's actor and its moment of sending in milliseconds, each None where it makes no sense."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None, None
    found = fields if isinstance(fields, dict) else {}
    actor, sent = found.get("actor_name"), found.get("message_timestamp")
    return actor if _is_text(actor) else None, sent if _is_moment(sent) else None


def _check(fields: Mapping[str, Any]) -> None:
    """Raises Invalid for the first field or option that is not what it should be."""
    if fields.keys() != FIELDS.keys():
        odd = ", ".join(_shown(name) for name in sorted(fields.keys() ^ FIELDS.keys())[:3])
        raise Invalid(f"The message lacks fields or has unknown ones: {odd}.")
    for name, is_valid in FIELDS.items():
        if not is_valid(fields[name]):
            raise Invalid(f"The message's {name} makes no sense: {_shown(fields[name])}.")
    for name, value in fields["options"].items():
        if name not in OPTIONS:
            raise Invalid(f"The message has an unknown option: {_shown(name)}.")
        if not OPTIONS[name](value):
            raise Invalid(f"The message's {name} makes no sense: {_shown(value)}.")


def _shown(value: object) -> str:
    """A value in ASCII, not all of it where it is long."""
    text = ascii(value if not isinstance(value, str) else value[:SHOWN])
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_CHARACTERS and value.isprintable()


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


def _is_moment(value: object) -> bool:
    return _whole(0, YEAR_10000_MS - 1)(value)


def _is_eta(value: object) -> bool:
    return _whole(0, round(1000 * (time() + LONGEST_DELAY.total_seconds())))(value)


def _whole(least: int, most: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _or_none(is_valid: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or is_valid(value)


def _is_a(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds)


FIELDS: Mapping[str, Callable[[object], bool]] = {
    "queue_name": _is_text,
    "actor_name": _is_text,
    "args": _is_a(list, tuple),
    "kwargs": _is_a(dict),
    "options": _is_a(dict),
    "message_id": _is_text,
    "message_timestamp": _is_moment,
}
OPTIONS: Mapping[str, Callable[[object], bool]] = {
    "generation": _whole(0, MOST_GENERATION),
    "request": _or_none(_is_text),
    "is_last": _is_a(bool),
    "ours": _or_none(_is_uuid),
    "redis_message_id": _is_text,
    "eta": _is_eta,
    "retries": _whole(0, MOST_RETRIES),
    "max_retries": _or_none(_whole(0, MOST_RETRIES)),
    "min_backoff": _whole(1, DAY_MS),
    "max_backoff": _whole(1, DAY_MS),
    "time_limit": _whole(1, DAY_MS),
    "requeue_timestamp": _is_moment,
    "traceback": _is_a(str),
}
