"""Logs of processes that stay: text or JSON, with the fields of the run on every line, and without secrets."""

import json
import logging
import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter

from otcpipe.settings import Settings

FIELDS: ContextVar[Mapping[str, object]] = ContextVar("FIELDS", default={})  # noqa: B039 - nobody changes a Mapping
NAMES = ("run", "stage", "tier", "week", "key")
# Dramatiq's own, so that the lines of its main process look the same.
TEXT = "[%(asctime)s] [PID %(process)d] [%(threadName)s] [%(name)s] [%(levelname)s] %(message)s%(fields)s"
JSON = ("levelname", "name", "process", "threadName", "message")
CREDENTIALS = r"(?<=://)[^\s/@\"']*:[^\s/@\"']*(?=@)"
SHORTEST_SECRET = 8  # a shorter one may be an ordinary word; in a URL it is hidden all the same


class Discreet(logging.Formatter):
    """What another formatter makes of a record, with stars for secrets, tracebacks included."""

    def __init__(self, inner: logging.Formatter, secrets: Iterable[str]) -> None:
        super().__init__()
        self._inner = inner
        known = {form for text in secrets if len(text) >= SHORTEST_SECRET for form in (text, json.dumps(text)[1:-1])}
        self._secret = re.compile("|".join([*map(re.escape, sorted(known, key=len, reverse=True)), CREDENTIALS]))

    def format(self, record: logging.LogRecord) -> str:
        return self._secret.sub("***", self._inner.format(record))


def configure(settings: Settings) -> None:
    """Send all log records of this process to its standard error, as OTCPIPE_LOG says."""
    renamed = {"levelname": "level", "name": "logger", "threadName": "thread"}
    is_json = settings["LOG"] == "json"
    inner = JsonFormatter(JSON, rename_fields=renamed, timestamp="time") if is_json else logging.Formatter(TEXT)
    handler = logging.StreamHandler()
    handler.addFilter(_add_text if settings["LOG"] == "text" else _add_fields)
    handler.setFormatter(Discreet(inner, settings.secrets()))
    level = min(logging.getLogger().level, logging.INFO)  # `dramatiq --verbose` asked for more
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(capture=True)


def _add_fields(record: logging.LogRecord) -> bool:
    record.__dict__.update(FIELDS.get())
    return True


def _add_text(record: logging.LogRecord) -> bool:
    fields = FIELDS.get()
    shown = " ".join(f"{name}={fields[name]}" for name in NAMES if name in fields)
    record.fields = f" ({shown})" if shown else ""
    return True
