"""Which partitions to ask for again, when requests are few: the order that finds most restatements for least.

Restatements were seen 2 to 164 days after publication, most within eight weeks. So the young are asked
for weekly, those of half a year monthly, the old twice a year; first whoever is longest past that, and never one that
was asked for within a day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from otcpipe.records import Partition
from otcpipe.storage.postgres import Database
from otcpipe.weeks import due_at

WEEK = timedelta(days=7)
EVERY = ((8 * WEEK, WEEK), (26 * WEEK, 4 * WEEK))  # up to an age since publication: how often
EVERY_OLD = 26 * WEEK
SETTLED = timedelta(days=1)


@dataclass(frozen=True)
class Candidate:
    """A partition, when it was published and last asked for, and the requests that that took."""

    partition: Partition
    published_at: datetime
    observed_at: datetime
    requests: int

    def urgency(self, now: datetime) -> float:
        """The time since the last answer, in units of how often one is wanted."""
        age = now - self.published_at
        wanted = next((often for limit, often in EVERY if age <= limit), EVERY_OLD)
        return (now - self.observed_at) / wanted


def most_urgent(candidates: Iterable[Candidate], now: datetime, most_requests: int) -> list[Candidate]:
    """The most urgent that fit into the budget, most urgent first; a large one does not keep a small one out."""
    asked = [one for one in candidates if now - one.observed_at >= SETTLED]
    found, left = [], most_requests
    for candidate in sorted(
        asked, key=lambda one: (-one.urgency(now), one.partition.week_ending, one.partition.tier)
    ):
        if candidate.requests <= left:
            found.append(candidate)
            left -= candidate.requests
    return found


def refreshable(database: Database, first: date) -> list[Candidate]:
    """Partitions from a week on that the API gave before."""
    with database.transaction() as transaction:
        rows = transaction.rows("refreshable", first=first)
    return [_candidate(row["week_ending"], row["tier"], row["observed_at"], row["pages"]) for row in rows]


def _candidate(week: date, tier: str, observed_at: datetime, requests: int) -> Candidate:
    return Candidate(Partition(week, tier), due_at(week, tier), observed_at, requests)
