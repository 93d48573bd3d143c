"""Failures of dead messages."""

from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.middleware import Middleware

from otcpipe.errors import Invalid, Permanent
from otcpipe.pipeline.definition import PIPELINE
from otcpipe.pipeline.failures import Failure


class DeadLetters(Middleware):
    """Stores why a message dies, in the one hook that runs however it dies, and calls `record` afterwards."""

    def __init__(self, note: Callable[[str, Failure], None], record: Callable[[], None]) -> None:
        self._note = note
        self._record = record

    def before_nack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        error: Any = message._exception  # noqa: SLF001 - Dramatiq offers no other access
        retries = message.options.get("retries", 0)
        attempts = retries + 1 if isinstance(error, Permanent | Invalid) else max(retries, 1)
        if error:
            version = next((one.code_version for one in PIPELINE if one.actor == message.actor_name), None)
            self._note(message.options["redis_message_id"], Failure.of(error, attempts, version))

    def after_nack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        self._record()
