"""Which partitions to request again within a budget of requests, so that most restatements are found.

Restatements were seen 2 to 164 days after publication, most of them within eight weeks. So a partition is requested
weekly at first, monthly up to half a year, then twice a year. The most overdue comes first; a partition that was
requested within a day is left out.
"""

from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from otcpipe.records import Partition
from otcpipe.storage.postgres import Database
from otcpipe.text.counting import counted
from otcpipe.weeks import due_at

WEEK = timedelta(days=7)
INTERVALS = ((8 * WEEK, WEEK), (26 * WEEK, 4 * WEEK))  # up to an age since publication, the interval
OLD_INTERVAL = 26 * WEEK
MIN_INTERVAL = timedelta(days=1)


@dataclass(frozen=True)
class Candidate:
    """A partition, when it was published and last requested, and how many requests that took."""

    partition: Partition
    published_at: datetime
    observed_at: datetime
    requests: int

    def urgency(self, now: datetime) -> float:
        """Return the time since the last observation, in units of the interval for the partition's age."""
        age = now - self.published_at
        interval = next((interval for limit, interval in INTERVALS if age <= limit), OLD_INTERVAL)
        return (now - self.observed_at) / interval


def most_urgent(candidates: Iterable[Candidate], now: datetime, max_requests: int) -> list[Candidate]:
    """Return the candidates that fit into the budget, most urgent first; one that does not fit is skipped."""
    eligible = [one for one in candidates if now - one.observed_at >= MIN_INTERVAL]
    found, left = [], max_requests
    for candidate in sorted(
        eligible, key=lambda one: (-one.urgency(now), one.partition.week_ending, one.partition.tier)
    ):
        if candidate.requests <= left:
            found.append(candidate)
            left -= candidate.requests
    return found


def quiet_reason(candidates: Collection[Candidate], now: datetime, max_requests: int) -> str:
    """Return why none of the candidates is requested again."""
    if not candidates:
        return "no partition of these weeks was fetched from the API and is at rest"
    waiting = [one for one in candidates if now - one.observed_at >= MIN_INTERVAL]
    if not waiting:
        newest = max(one.observed_at for one in candidates)
        return f"all were asked for within {MIN_INTERVAL.days} day, the last at {newest:%Y-%m-%d %H:%M} UTC"
    least = min(one.requests for one in waiting)
    return f"the smallest takes {counted(least, 'request')}, more than --max-requests {max_requests}"


def refreshable(database: Database, first: date, tiers: Container[str]) -> list[Candidate]:
    """Return the partitions of these tiers, from a week on, that were fetched from the API before."""
    with database.transaction() as transaction:
        rows = transaction.rows("refreshable", first=first)
    return [
        _candidate(row["week_ending"], row["tier"], row["observed_at"], row["pages"])
        for row in rows
        if row["tier"] in tiers
    ]


def _candidate(week: date, tier: str, observed_at: datetime, requests: int) -> Candidate:
    return Candidate(Partition(week, tier), due_at(week, tier), observed_at, requests)
