"""The valid fields and options of a message. Anything that reaches Redis can write one, so each value is checked."""

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from time import time
from typing import Any

from otcpipe.errors import Invalid

MAX_CHARACTERS = 300  # of a text
MAX_GENERATION = 1 << 52
MAX_RETRIES = 1_000_000
MAX_DELAY = timedelta(days=1)
MAX_SHOWN = 80  # characters of an invalid value in the error
TRACEPARENT = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # of the W3C's Trace Context
DAY_MS, YEAR_10000_MS = 86_400_000, 253_402_300_800_000

IsValid = Callable[[object], bool]


def check(fields: Mapping[str, Any]) -> None:
    """Raise Invalid for the first field or option that is missing, unknown or has an invalid value."""
    if fields.keys() != FIELDS.keys():
        names = ", ".join(shown(name) for name in sorted(fields.keys() ^ FIELDS.keys())[:3])
        raise Invalid(f"The message lacks fields or has unknown ones: {names}.")
    for name, is_valid in FIELDS.items():
        if not is_valid(fields[name]):
            raise Invalid(f"The message's {name} is invalid: {shown(fields[name])}.")
    for name, value in fields["options"].items():
        if name not in OPTIONS:
            raise Invalid(f"The message has an unknown option: {shown(name)}.")
        if not OPTIONS[name](value):
            raise Invalid(f"The message's {name} is invalid: {shown(value)}.")


def shown(value: object) -> str:
    """Return a value in ASCII, truncated."""
    text = ascii(value if not isinstance(value, str) else value[:MAX_SHOWN])
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def is_text(value: object) -> bool:
    """Return whether the value is a printable text that is neither empty nor too long."""
    return isinstance(value, str) and 0 < len(value) <= MAX_CHARACTERS and value.isprintable()


def is_moment(value: object) -> bool:
    """Return whether the value is a number of milliseconds between 1970 and the year 10000."""
    return _is_integer(0, YEAR_10000_MS - 1)(value)


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


def _is_traceparent(value: object) -> bool:
    return isinstance(value, str) and bool(TRACEPARENT.fullmatch(value))


def _is_eta(value: object) -> bool:
    return _is_integer(0, round(1000 * (time() + MAX_DELAY.total_seconds())))(value)


def _is_integer(least: int, most: int) -> IsValid:
    return lambda value: type(value) is int and least <= value <= most


def _or_none(is_valid: IsValid) -> IsValid:
    return lambda value: value is None or is_valid(value)


def _is_instance(*types: type) -> IsValid:
    return lambda value: isinstance(value, types)


FIELDS: Mapping[str, IsValid] = {
    "queue_name": is_text,
    "actor_name": is_text,
    "args": _is_instance(list, tuple),
    "kwargs": _is_instance(dict),
    "options": _is_instance(dict),
    "message_id": is_text,
    "message_timestamp": is_moment,
}
OPTIONS: Mapping[str, IsValid] = {
    "generation": _is_integer(0, MAX_GENERATION),
    "request": _or_none(is_text),
    "is_last": _is_instance(bool),
    "ours": _or_none(_is_uuid),
    "redis_message_id": is_text,
    "eta": _is_eta,
    "retries": _is_integer(0, MAX_RETRIES),
    "max_retries": _or_none(_is_integer(0, MAX_RETRIES)),
    "min_backoff": _is_integer(1, DAY_MS),
    "max_backoff": _is_integer(1, DAY_MS),
    "time_limit": _is_integer(1, DAY_MS),
    "requeue_timestamp": is_moment,
    "traceback": _is_instance(str),
    "traceparent": _is_traceparent,
}
