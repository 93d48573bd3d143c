"""Traces of a worker process: a span of each message, as OpenTelemetry has them."""

import logging
import sys
from importlib import import_module
from typing import Any

import dramatiq
from dramatiq.middleware import Middleware

from otcpipe import resources
from otcpipe.errors import Invalid
from otcpipe.settings import Settings, logs

log = logging.getLogger(__name__)
OPTION = "traceparent"  # of a message: the span that sent it, as the W3C's Trace Context writes it


class Tracing(Middleware):
    """Makes a span of each message that is processed. Every message sent meanwhile carries it on, retries too.

    Does nothing, and loads nothing, without OTCPIPE_TRACES_URL. Must follow LogFields, whose fields a span has, and
    precede Retries.
    """

    def __init__(self) -> None:
        self._spans: Any = None

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        """Start sending spans; end the process if the packages of the extra are missing."""
        settings = resources.settings()
        if settings["TRACES_URL"]:
            try:
                self._spans = module().Spans(settings)
            except Invalid as error:
                log.error("%s", error)  # noqa: TRY400 - the sentence says it all
                sys.exit(2)

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        if self._spans:
            attempt = {"attempt": message.options.get("retries", 0) + 1}
            self._spans.begin(message.queue_name, message.options.get(OPTION), {**logs.FIELDS.get(), **attempt})

    def before_enqueue(self, broker: dramatiq.Broker, message: "dramatiq.Message[Any]", delay: int) -> None:
        sender = self._spans.current() if self._spans else None
        if sender:
            message.options[OPTION] = sender

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        if self._spans:
            self._spans.end(logs.FIELDS.get(), exception, is_dead=message.failed)

    def after_skip_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        self.after_process_message(broker, message)

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        if self._spans:
            self._spans.close()


def module() -> Any:
    """Return the module that makes spans; raises Invalid if the packages of the extra are missing."""
    try:
        return import_module("otcpipe.broker.spans")
    except ModuleNotFoundError as error:
        raise Invalid(
            f"OTCPIPE_TRACES_URL is set, but the package {error.name} is missing:"
            " run `pip install 'otcpipe[tracing]'`, or unset it."
        ) from None


def require(settings: Settings) -> None:
    """Raise Invalid if traces are wanted and the packages of the extra are missing."""
    if settings["TRACES_URL"]:
        module()
