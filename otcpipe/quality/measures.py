"""The measures by which a partition is graded, and the weeks it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

WEEK = timedelta(days=7)
WEEKS_COMPARED = 13  # before and after a week: its neighbours
WEEKS_CHANGED = 2 * WEEKS_COMPARED  # how far a change reaches: it may decide whether a neighbour is trusted
WEEKS_READ = 2 * WEEKS_CHANGED  # what is read to grade those


@dataclass(frozen=True)
class Measures:
    """Measures of one partition's current records and its newest capture.

    `unreconciled` is None without totals to compare with. `volume` and `ats_volume` are in shares.
    """

    week_ending: date
    tier: str
    covers_all: bool
    rows: int
    rejects: int
    unreconciled: int | None
    records: int
    symbols: int
    volume: Decimal
    ats_volume: Decimal
    venues: Sequence[str]
    doubled_symbols: int
    zero_records: int
    rows_before: int | None = None  # of the partition's newest sound capture before with the same coverage


@dataclass(frozen=True)
class Neighbours:
    """The tier's trusted weeks within a quarter before and after the graded week."""

    weeks: Sequence[Measures]

    def week_before(self, graded: Measures) -> Measures | None:
        """Return the week before, None if it is not trusted or not loaded.

        The week after is never compared with: an unusual new week must not lower the grade of a sound older one.
        """
        by_week = {other.week_ending: other for other in self.weeks}
        return by_week.get(graded.week_ending - WEEK)


def neighbours(week: date, weeks: Sequence[Measures]) -> Neighbours:
    """Return those of the weeks that lie within a quarter before or after a week, without the week itself."""
    return Neighbours(
        [one for one in weeks if one.week_ending != week and abs(one.week_ending - week) <= WEEKS_COMPARED * WEEK]
    )
