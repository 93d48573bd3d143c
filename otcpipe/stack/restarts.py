"""When a program that died is started again: after waits that double, and not after too many deaths."""

from collections import deque

MAX_DEATHS, PERIOD_SECONDS = 8, 60.0
LIMIT = f"{MAX_DEATHS} times in {PERIOD_SECONDS:.0f} s"
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0  # seconds from a death to the next start


class Restarts:
    """The recent deaths of one program, by `time.monotonic()`."""

    def __init__(self) -> None:
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)

    def add_death(self, now: float) -> None:
        """Count a death."""
        self._deaths.append(now)

    def is_exhausted(self, now: float) -> bool:
        """Return whether the program died MAX_DEATHS times within PERIOD_SECONDS."""
        return len(self._deaths) == MAX_DEATHS and now - self._deaths[0] < PERIOD_SECONDS

    def count(self, now: float) -> int:
        """Return the number of deaths within PERIOD_SECONDS."""
        return sum(now - death < PERIOD_SECONDS for death in self._deaths)

    def wait(self, now: float) -> float:
        """Return the seconds to wait before the next start."""
        return min(FIRST_WAIT * 2.0 ** (self.count(now) - 1), LONGEST_WAIT)
