"""What FINRA's answers mean: data, a fault that may pass, or one that no repetition mends."""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from otcpipe.errors import Defective, Permanent
from otcpipe.finra.transport import Answer

OK, NO_CONTENT, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN = 200, 204, 400, 401, 403
LONGEST_PAUSE = 86_400.0  # seconds; what is asked beyond a day is not believed
MISSING = "FINRA asks for credentials: set OTCPIPE_FINRA_CLIENT_ID and OTCPIPE_FINRA_CLIENT_SECRET."
NOT_ENTITLED = (
    "FINRA refuses access although it accepted OTCPIPE_FINRA_CLIENT_ID: "
    "ask FINRA to entitle this client to the dataset, or unset it for anonymous access."
)


def check(answer: Answer, *, has_credentials: bool) -> None:
    """Raises Permanent for what no repetition mends, Defective for what one may.

    FINRA's own errors are JSON. Anything else comes from the network in front of it, and passes.
    """
    status = answer.status
    if status in (OK, NO_CONTENT):
        return
    if status in (UNAUTHORIZED, FORBIDDEN) and says_finra(answer):
        raise Permanent(NOT_ENTITLED if has_credentials else MISSING)
    if status == BAD_REQUEST and says_finra(answer):
        raise Permanent(f"FINRA refuses the request: {_message(answer)}")
    whose = "FINRA" if says_finra(answer) else "The network in front of FINRA"
    raise Defective(f"{whose} answered with status {status}.", _pause(answer.headers.get("Retry-After", "")))


def says_finra(answer: Answer) -> bool:
    """Whether an error is FINRA's own, a JSON object, and not a page of the content delivery network."""
    return isinstance(loaded(answer.body, wrong=None), dict)


def loaded(body: bytes, **options: Any) -> Any:
    """The JSON value of a body; raises ValueError, or returns `wrong` if it is given, where it is none."""
    has_default = "wrong" in options
    wrong = options.pop("wrong", None)
    try:
        return json.loads(body, **options)
    except (ValueError, RecursionError) as error:
        if has_default:
            return wrong
        raise ValueError("no JSON") from error


def _pause(text: str) -> float | None:
    """Seconds, from either form of Retry-After (RFC 9110, 10.2.3)."""
    if re.fullmatch("[0-9]+", text):
        return float(min(LONGEST_PAUSE, float(text)))
    try:
        seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(LONGEST_PAUSE, max(0.0, seconds))


def _message(answer: Answer) -> str:
    message = loaded(answer.body).get("message")
    return str(message)[:300] if message else "without a message."
