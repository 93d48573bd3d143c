"""What is due and missing, and asking for it: one answer for the command line, the schedule and repair."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from otcpipe import weeks
from otcpipe.datasets import TIERS
from otcpipe.pipeline import decisions, definition, ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage import keys
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore

Send = Callable[[Run], None]
WEEK = timedelta(days=7)
UNDER_WAY = ("queued", "running")


def skip_reason(partition: Partition, state: str | None, now: datetime, *, refresh: bool = False) -> str:
    """Why not to fetch; nothing when there is no reason."""
    due = weeks.due_at(partition.week_ending, partition.tier)
    if due > now:
        return f"not due before {due:%Y-%m-%d %H:%M} New York time"
    if state in UNDER_WAY:
        return "under way already"
    if state == "held" and not refresh:
        return "held for its quality; accept it, or ask again with --refresh"
    if state == "done" and not refresh:
        return "done already; --refresh asks FINRA again"
    return ""


def missing(partitions: Iterable[Partition], states: Mapping[Partition, str], now: datetime) -> list[Partition]:
    """Those of the partitions that are due and neither there nor under way."""
    return [one for one in partitions if not skip_reason(one, states.get(one), now)]


def partitions_between(first: date, last: date, tiers: Iterable[str]) -> list[Partition]:
    """All partitions from one Friday to another, newest first."""
    fridays = [first + WEEK * number for number in range((last - first) // WEEK + 1)]
    chosen = list(tiers)
    return [Partition(friday, tier) for friday in reversed(fridays) for tier in chosen]


def expected_partitions(
    database: Database, now: datetime, since: date | None, tiers: Iterable[str]
) -> list[Partition]:
    """All that ought to be there: from a first week, else the oldest ever asked for, to the newest published."""
    asked = decisions.first_wanted(database)
    found = []
    for tier in tiers:
        newest = weeks.newest_published(now, tier)
        first = weeks.week_ending(max(since, weeks.EARLIEST)) if since else asked.get(tier, newest)
        found += partitions_between(first, newest, [tier])
    return found


def asked_tiers(database: Database, since: date | None) -> list[str]:
    """The tiers of which something ought to be there, since FINRA was asked for them, or a first week is set."""
    asked = decisions.first_wanted(database)
    return [tier for tier in TIERS if since or tier in asked]


def states(database: Database, partitions: Iterable[Partition]) -> dict[Partition, str]:
    """The ledger's word on partitions; one that was only ever imported from a file may still be fetched."""
    weeks_asked = {partition.week_ending for partition in partitions}
    only: date | None = weeks_asked.pop() if len(weeks_asked) == 1 else None
    return {
        Partition(row["week_ending"], row["tier"]): row["state"]
        for row in ledger.partitions(database, only)
        if row["source"] == "api" or row["state"] in UNDER_WAY
    }


def enqueue_fetches(
    database: Database, store: ObjectStore, prefix: str, partitions: Sequence[Partition], send: Send, now: datetime
) -> None:
    """Enqueue the fetch of partitions; which weeks are wanted is kept first."""
    decisions.want(database, store, prefix, partitions, now)
    for partition in partitions:
        key = keys.of_partition(prefix, partition)
        submit(database, Run(definition.named("fetch"), key, request=f"fetch {uuid.uuid4()}"), send)


def submit(database: Database, run: Run, send: Send) -> None:
    """The ledger first: a message that gets lost leaves its trace there."""
    send(ledger.request(database, run))
