"""Logs of a worker process."""

from collections.abc import Callable
from contextlib import suppress

import dramatiq
from dramatiq.middleware import Middleware

from otcpipe import resources
from otcpipe.errors import Invalid
from otcpipe.pipeline.ledger import Run
from otcpipe.settings import logs


class LogFields(Middleware):
    """Configures the logs of a worker process, and adds a message's fields to every line logged while it runs.

    Must precede all middleware that logs, so that lines from their hooks have the fields too.
    """

    def __init__(self, run_of: Callable[[dramatiq.MessageProxy], Run]) -> None:
        self._run_of = run_of

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        logs.configure(resources.settings())

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        fields: dict[str, object] = {"run": message.message_id, "stage": message.queue_name}
        with suppress(Invalid):  # the message requests no run
            key = self._run_of(message).key
            fields |= {"tier": key.partition.tier, "week": str(key.partition.week_ending), "key": str(key)}
        logs.FIELDS.set(fields)

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        logs.FIELDS.set({})

    def after_skip_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        logs.FIELDS.set({})
