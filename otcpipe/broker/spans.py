"""Spans of OpenTelemetry, sent in batches by a thread of their own to OTCPIPE_TRACES_URL, as OTLP over HTTP.

Its standard variables set the rest, such as OTEL_EXPORTER_OTLP_HEADERS and OTEL_TRACES_SAMPLER.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextvars import ContextVar, Token
from importlib.metadata import version
from urllib.parse import urlsplit

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otcpipe.pipeline.failures import reason_of
from otcpipe.settings import Settings
from otcpipe.text.printable import Redaction, sentence

PATH = "/v1/traces"  # where a collector takes spans, if the URL names no path
LAST_SECONDS = 3.0  # of a worker that shuts down: a collector that does not answer holds it up no longer
PROPAGATOR = TraceContextTextMapPropagator()
Attribute = str | int | float | bool
_ATTACHED: ContextVar[Token[context.Context] | None] = ContextVar("_ATTACHED", default=None)


class Spans:
    """The spans of a worker process, one a thread at a time. An error of the collector stops no work."""

    def __init__(self, settings: Settings) -> None:
        self._redact = Redaction(settings.secrets())
        name = {
            "service.name": os.environ.get("OTEL_SERVICE_NAME") or "otcpipe",
            "service.version": version("otcpipe"),
        }
        self._provider = TracerProvider(resource=Resource.create(name), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint(settings["TRACES_URL"]))))
        self._tracer = self._provider.get_tracer("otcpipe", name["service.version"])

    def begin(self, name: str, sender: str | None, fields: Mapping[str, object]) -> None:
        """Begin the span of a message, below the span that sent it; without one a new trace begins."""
        parent = PROPAGATOR.extract({"traceparent": sender} if sender else {}, context.Context())
        span = self._tracer.start_span(name, parent, trace.SpanKind.CONSUMER, attributes=self._attributes(fields))
        _ATTACHED.set(context.attach(trace.set_span_in_context(span)))

    def current(self) -> str | None:
        """Return this thread's span as a message carries it; None between messages."""
        carrier: dict[str, str] = {}
        PROPAGATOR.inject(carrier)
        return carrier.get("traceparent")

    def end(self, fields: Mapping[str, object], error: BaseException | None, *, is_dead: bool) -> None:
        """End this thread's span with what became of its message."""
        attached = _ATTACHED.get()
        if attached is None:
            return
        span = trace.get_current_span()
        span.set_attributes(self._attributes(fields))
        if error:
            reason = self._text(reason_of(error))
            span.set_attributes({"error.type": type(error).__name__, "otcpipe.reason": reason})
            span.set_attribute("otcpipe.outcome", "dead" if is_dead else "retried")
            span.set_status(trace.StatusCode.ERROR, reason)
        span.end()
        context.detach(attached)
        _ATTACHED.set(None)

    def close(self) -> None:
        """Send what is left, as far as that takes no more than a few seconds."""
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(LAST_SECONDS)

    def _attributes(self, fields: Mapping[str, object]) -> dict[str, Attribute]:
        return {f"otcpipe.{name}": self._value(value) for name, value in flat(fields)}

    def _value(self, value: object) -> Attribute:
        return value if isinstance(value, int | float | bool) else self._text(str(value))

    def _text(self, text: str) -> str:
        return sentence(self._redact(text))


def endpoint(url: str) -> str:
    """Return the address that takes spans: the URL, or below a URL without path that of the standard."""
    parts = urlsplit(url)
    return parts._replace(path=PATH).geturl() if parts.path in ("", "/") else url


def flat(fields: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield names and values that are not None, those of a mapping below its own name, such as `counts.rows`."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from flat({f"{name}.{inner}": one for inner, one in value.items()})
        elif value is not None:
            yield name, value
