"""Logging of long-running processes: text or JSON, with the run's fields on every line and secrets redacted."""

import copy
import logging
from collections.abc import Mapping
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter

from otcpipe.settings import Settings
from otcpipe.text.printable import Redaction, printable, printable_lines

FIELDS: ContextVar[Mapping[str, object]] = ContextVar("FIELDS", default={})  # noqa: B039 - a Mapping is read-only
SHOWN_FIELDS = ("run", "stage", "tier", "week", "key")
# Dramatiq's own format, so that the lines of its main process look the same.
TEXT = "[%(asctime)s] [PID %(process)d] [%(threadName)s] [%(name)s] [%(levelname)s] %(message)s%(fields)s"
JSON = ("levelname", "name", "process", "threadName", "message")
NOISY = ("psycopg.pool",)  # warns of every attempt to connect; the error that follows gives the reason


class RedactingFormatter(logging.Formatter):
    """Wraps a formatter: replaces secrets with stars, and characters that control a terminal with U+FFFD.

    A record is one line. The lines of its traceback are indented, so that a logged text cannot forge a record.
    """

    def __init__(self, inner: logging.Formatter, redact: Redaction) -> None:
        super().__init__()
        self._inner = inner
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        shown = copy.copy(record)
        shown.__dict__.update({name: self._one_line(value) for name, value in vars(record).items() if name != "msg"})
        shown.msg, shown.args = self._one_line(record.getMessage()), None
        if record.exc_info:
            shown.exc_info, shown.exc_text = None, self._lines(self.formatException(record.exc_info))
        if record.stack_info:
            shown.stack_info = self._lines(record.stack_info)
        return self._redact(self._inner.format(shown))

    def _one_line(self, value: object) -> object:
        return printable(self._redact(value)) if isinstance(value, str) else value

    def _lines(self, text: str) -> str:
        return "\n".join(f"  {line}" for line in printable_lines(self._redact(text)).split("\n"))


def configure(settings: Settings) -> None:
    """Send all log records of this process to standard error, as text or JSON according to OTCPIPE_LOG."""
    renamed = {"levelname": "level", "name": "logger", "threadName": "thread"}
    is_json = settings["LOG"] == "json"
    inner = JsonFormatter(JSON, rename_fields=renamed, timestamp="time") if is_json else logging.Formatter(TEXT)
    handler = logging.StreamHandler()
    handler.addFilter(_add_text if settings["LOG"] == "text" else _add_fields)
    handler.setFormatter(RedactingFormatter(inner, Redaction(settings.secrets())))
    level = min(logging.getLogger().level, logging.INFO)  # `dramatiq --verbose` has set DEBUG
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(capture=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)


def _add_fields(record: logging.LogRecord) -> bool:
    record.__dict__.update(FIELDS.get())
    return True


def _add_text(record: logging.LogRecord) -> bool:
    fields = FIELDS.get()
    shown = " ".join(f"{name}={fields[name]}" for name in SHOWN_FIELDS if name in fields)
    record.fields = f" ({shown})" if shown else ""
    return True
