"""The errors that otcpipe raises; the exit code of a command follows from the class."""


class OtcpipeError(Exception):
    """Base class of all errors that otcpipe raises; the text is a sentence for the user."""

    exit_code = 1


class Invalid(OtcpipeError):
    """Invalid input: a date, a tier, a key, a file or a setting."""

    exit_code = 2


class Permanent(OtcpipeError):
    """A stage cannot succeed with this key, however often it is retried."""


class Poisonous(Permanent):
    """A run has killed several workers in a row, so it is not started again."""


class TooSoon(OtcpipeError):
    """A stage must wait for something; it is retried after `seconds`, and the attempt is not counted."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class OnHold(OtcpipeError):
    """A partition looks wrong: nothing is computed from it until a user accepts it."""


class Damaged(OtcpipeError):
    """An object is missing, or its bytes are not those that were stored."""

    def __init__(self, key: str, how: str) -> None:
        super().__init__(f"{key} {how}.")
        self.key = key


class Defective(OtcpipeError):
    """FINRA does not answer, or its answer is incomplete or unusable; a retry may succeed."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds, if the server sent a Retry-After


class Unreachable(OtcpipeError):
    """A server does not answer."""

    exit_code = 3


class Unready(Unreachable):
    """A server answers but lacks what otcpipe needs: its tables, or a permission."""

    exit_code = 2


class Outdated(Unready):
    """The database has migrations or metrics that this process does not know: it waits, and changes nothing."""


class ServerMissing(OtcpipeError):
    """The program of a local server is neither installed from its wheel nor on PATH."""


class StackBusy(OtcpipeError):
    """A local stack is already running in this home."""


class StackFailed(OtcpipeError):
    """A local server or worker does not start, or dies again and again."""


class UnknownSymbol(UserWarning):
    """A symbol that was asked for is in no record."""
