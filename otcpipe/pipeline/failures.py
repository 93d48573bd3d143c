"""Why a message died, as text that people read and PostgreSQL accepts."""

import json
import traceback
from dataclasses import dataclass

from otcpipe.errors import OtcpipeError

MAX_FRAMES = 30  # of a traceback
MAX_ATTEMPTS = 1_000_000_000


@dataclass(frozen=True)
class Failure:
    """The error of which a message died. `code_version` is that of the stage, None if no stage is known."""

    error_class: str
    reason: str
    traceback: str | None
    attempts: int
    code_version: int | None = None

    @classmethod
    def of(cls, error: BaseException, attempts: int, code_version: int | None = None) -> "Failure":
        """Describe an error, with the last frames of its traceback."""
        trace = "".join(traceback.format_exception(error, limit=-MAX_FRAMES))
        return cls(type(error).__name__, reason_of(error), storable(trace), attempts, code_version)

    @classmethod
    def from_json(cls, text: bytes) -> "Failure | None":
        """Return the failure that a worker recorded; None if the text is empty, damaged or forged."""
        try:
            found = cls(**json.loads(text))
        except (ValueError, TypeError, RecursionError):
            return None
        texts = (found.error_class, found.reason, found.traceback or "")
        numbers = (found.attempts, found.code_version or 0)
        is_valid = all(isinstance(one, str) for one in texts) and all(type(one) is int for one in numbers)
        return found if is_valid and all(0 <= one <= MAX_ATTEMPTS for one in numbers) else None


def reason_of(error: BaseException) -> str:
    """Return what went wrong as one sentence; errors of other libraries are prefixed with their class."""
    text = storable(str(error).strip())
    return text if isinstance(error, OtcpipeError) else f"{type(error).__name__}: {text or 'no message'}"


def storable(text: str) -> str:
    """Replace what PostgreSQL refuses in text: unpaired surrogates and the null character."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
