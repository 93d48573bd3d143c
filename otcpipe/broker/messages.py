"""Runs of stages as Dramatiq messages, and messages read back as runs. A message that is not valid raises Invalid."""

import json
import uuid
from typing import Any

import dramatiq

from otcpipe import resources
from otcpipe.broker.message_fields import MAX_CHARACTERS, check, is_moment, is_text, shown
from otcpipe.errors import Invalid
from otcpipe.pipeline import definition
from otcpipe.pipeline.ledger import Run
from otcpipe.storage import keys

MAX_BYTES = 1 << 16  # of a message
DELAYED = ".DQ"  # ends the name of a queue of delayed messages


def message_of(run: Run) -> "dramatiq.Message[None]":
    """Return the message that requests a run; its id is the run's own."""
    return dramatiq.Message(
        queue_name=run.stage.name,
        actor_name=run.stage.actor,
        args=(str(run.key),),
        kwargs={},
        options={
            "generation": run.generation,
            "request": run.request,
            "is_last": run.is_last,
            "ours": run.previous_claim and str(run.previous_claim),
        },
        message_id=run.message_id,
    )


def run_of(message: "dramatiq.Message[Any] | dramatiq.MessageProxy") -> Run:
    """Return the run that a message requests; raises Invalid if any part of the message is invalid."""
    check(message.asdict())
    stage, options = definition.named(message.actor_name), message.options
    queue = message.queue_name.removesuffix(DELAYED)
    if (queue, message.actor_name) != (stage.name, stage.actor):
        raise Invalid(f"The actor {shown(message.actor_name)} does not work on the queue {shown(queue)}.")
    if len(message.args) != 1 or not isinstance(message.args[0], str) or message.kwargs:
        raise Invalid("The message's arguments are not one key.")
    settings = resources.settings()
    key = keys.parse(message.args[0][: 2 * MAX_CHARACTERS], settings["S3_PREFIX"], settings.now())
    definition.reading(key, stage.name)
    return Run(
        stage,
        key,
        options.get("generation", 0),
        options.get("request"),
        is_last=options.get("is_last", False),
        previous_claim=uuid.UUID(options["ours"]) if options.get("ours") else None,
    )


def decode(body: bytes) -> "dramatiq.Message[None]":
    """Return the message of a body; raises Invalid if a field is missing, unknown or invalid."""
    if len(body) > MAX_BYTES:
        raise Invalid(f"The message is longer than {MAX_BYTES:,} bytes.")
    try:
        fields = json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The message cannot be decoded: {error}.") from error
    if not isinstance(fields, dict):
        raise Invalid("The message cannot be decoded: it is not a JSON object.")
    check(fields)
    return dramatiq.Message(**fields)


def read(body: bytes) -> Run:
    """Return the run that the body of a message requests; raises Invalid."""
    return run_of(decode(body))


def envelope(body: bytes, queue: str, redis_message_id: bytes) -> "dramatiq.Message[None]":
    """Return the message found in a queue under an id; raises Invalid if the message names another queue or id."""
    message = decode(body)
    if message.queue_name != queue:
        raise Invalid(f"The message names the queue {shown(message.queue_name)}, but was found in {queue}.")
    if message.options.get("redis_message_id", "").encode() != redis_message_id:
        raise Invalid("The message was found in Redis under another id than its own.")
    if ("eta" in message.options) != queue.endswith(DELAYED):
        raise Invalid("The message has an eta without being delayed, or is delayed without one.")
    return message


def admit(body: bytes, queue: str, redis_message_id: bytes) -> "dramatiq.Message[None]":
    """Return the message if a worker may process it; raises Invalid. An unknown actor is left to Dramatiq."""
    message = envelope(body, queue, redis_message_id)
    if message.actor_name in {stage.actor for stage in definition.PIPELINE}:
        run_of(message)
    return message


def peek(body: bytes) -> tuple[str | None, int | None]:
    """Return actor and time of sending (milliseconds) of a body that may be invalid; None for what cannot be read."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None, None
    found = fields if isinstance(fields, dict) else {}
    actor, sent = found.get("actor_name"), found.get("message_timestamp")
    return actor if is_text(actor) else None, sent if is_moment(sent) else None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a number")
