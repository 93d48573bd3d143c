"""The way between runs of stages and Dramatiq's messages."""

import uuid
from typing import Any

import dramatiq
from dramatiq.errors import DecodeError

from otcpipe import keys, services, stages
from otcpipe.errors import Invalid
from otcpipe.ledger import Run


def message_of(run: Run) -> "dramatiq.Message[None]":
    """The message that asks for a run; its id is the run's own."""
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
    """The run that a message asks for; raises Invalid for a key or an actor that is none."""
    options: dict[str, Any] = message.options
    key = keys.parse(str(*message.args[:1]), services.settings()["S3_PREFIX"])
    return Run(
        stages.named(message.actor_name),
        key,
        options.get("generation", 0),
        options.get("request"),
        is_last=options.get("is_last", False),
        ours=uuid.UUID(options["ours"]) if options.get("ours") else None,
    )


def read(body: bytes) -> Run:
    """The run that a message as Redis holds it asks for; raises Invalid."""
    try:
        return run_of(dramatiq.Message.decode(body))
    except DecodeError as error:
        raise Invalid(f"The message cannot be decoded: {error.__cause__}.") from error
