"""Classify FINRA's answers: data, a transient fault, or a permanent one."""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from otcpipe.errors import Defective, Permanent
from otcpipe.finra.transport import Answer

OK, NO_CONTENT, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN = 200, 204, 400, 401, 403
MAX_PAUSE = 86_400.0  # seconds; a longer Retry-After is cut to this
CREDENTIALS_MISSING = "FINRA asks for credentials: set OTCPIPE_FINRA_CLIENT_ID and OTCPIPE_FINRA_CLIENT_SECRET."
NOT_ENTITLED = (
    "FINRA refuses access although it accepted OTCPIPE_FINRA_CLIENT_ID: "
    "ask FINRA to entitle this client to the dataset, or unset it for anonymous access."
)


def check(answer: Answer, *, has_credentials: bool) -> None:
    """Raise Permanent for a fault that no retry can clear, Defective for one that a retry may.

    FINRA's own errors are JSON. Any other error comes from the network in front of FINRA, and is transient.
    """
    status = answer.status
    if status in (OK, NO_CONTENT):
        return
    if status in (UNAUTHORIZED, FORBIDDEN) and is_from_finra(answer):
        raise Permanent(NOT_ENTITLED if has_credentials else CREDENTIALS_MISSING)
    if status == BAD_REQUEST and is_from_finra(answer):
        raise Permanent(f"FINRA refuses the request: {_message(answer)}")
    source = "FINRA" if is_from_finra(answer) else "The network in front of FINRA"
    raise Defective(f"{source} answered with status {status}.", _pause(answer.headers.get("Retry-After", "")))


def is_from_finra(answer: Answer) -> bool:
    """Return whether an error is FINRA's own, a JSON object, and not a page of the content delivery network."""
    try:
        return isinstance(load_json(answer.body), dict)
    except ValueError:
        return False


def load_json(body: bytes, **options: Any) -> Any:
    """Return the JSON value of a body; raises ValueError for another body, and for an object with a name twice."""
    try:
        return json.loads(body, object_pairs_hook=_object, **options)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")  # which of its values is meant is unknown
    return found


def _pause(text: str) -> float | None:
    """Return the seconds of either form of Retry-After (RFC 9110, 10.2.3), None if it has neither."""
    if re.fullmatch("[0-9]+", text):
        return float(min(MAX_PAUSE, float(text)))
    try:
        seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(MAX_PAUSE, max(0.0, seconds))


def _message(answer: Answer) -> str:
    return str(load_json(answer.body).get("message") or "without a message.")[:300]
