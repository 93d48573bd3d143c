"""What is expected, what is missing, and how it is requested: one answer for commands, schedule and recovery."""

import uuid
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from otcpipe import weeks
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
    """Return why a partition is not to be fetched now; an empty text if it is."""
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
    """Return the partitions that are due, not loaded and not under way."""
    return [one for one in partitions if not skip_reason(one, states.get(one), now)]


def partitions_between(first: date, last: date, tiers: Iterable[str]) -> list[Partition]:
    """Return all partitions from one Friday to another, both included, newest first."""
    fridays = [first + WEEK * number for number in range((last - first) // WEEK + 1)]
    chosen = list(tiers)
    return [Partition(friday, tier) for friday in reversed(fridays) for tier in chosen]


def expected_partitions(
    database: Database, now: datetime, since: date | None, tiers: Iterable[str]
) -> list[Partition]:
    """Return the partitions from `since`, else from the first wanted week of a tier, to the newest published."""
    requested = decisions.first_wanted(database)
    found = []
    for tier in tiers:
        newest = weeks.newest_published(now, tier)
        first = weeks.week_ending(max(since, weeks.EARLIEST)) if since else requested.get(tier, newest)
        found += partitions_between(first, newest, [tier])
    return found


def requested_tiers(database: Database, tiers: Iterable[str], since: date | None) -> list[str]:
    """Return those of the tiers of which weeks are wanted; all of them if a first week is configured."""
    requested = decisions.first_wanted(database)
    return [tier for tier in tiers if since or tier in requested]


def joined_to(first: date, requested: Container[date]) -> date:
    """Return the first of the consecutive requested weeks that end just before `first`; else `first` itself."""
    while first - WEEK in requested:
        first -= WEEK
    return first


def _first_weeks(database: Database, partitions: Sequence[Partition], now: datetime) -> list[Partition]:
    """Return the new first week of each tier, if these requests reach back from the present one without a gap.

    So a single old week, requested by itself, is fetched but makes none of the weeks after it expected.
    """
    requested, present = {*states(database, ()), *partitions}, decisions.first_wanted(database)
    found = []
    for tier in {one.tier for one in partitions}:
        fridays = {one.week_ending for one in requested if one.tier == tier}
        newest = weeks.newest_published(now, tier)
        first = joined_to(present.get(tier, newest), fridays)
        if tier in present or first in fridays:
            found.append(Partition(first, tier))
    return found


def states(database: Database, partitions: Iterable[Partition]) -> dict[Partition, str]:
    """Return the ledger's states; a partition that was only imported from a file has none: it may be fetched."""
    fridays = {partition.week_ending for partition in partitions}
    only: date | None = fridays.pop() if len(fridays) == 1 else None
    return {
        Partition(row["week_ending"], row["tier"]): row["state"]
        for row in ledger.partitions(database, only)
        if row["source"] == "api" or row["state"] in UNDER_WAY
    }


def enqueue_fetches(
    database: Database, store: ObjectStore, prefix: str, partitions: Sequence[Partition], send: Send, now: datetime
) -> None:
    """Record from which week on each tier is expected from now on, then enqueue the fetches."""
    decisions.want(database, store, prefix, _first_weeks(database, partitions, now), now)
    for partition in partitions:
        key = keys.of_partition(prefix, partition)
        enqueue(database, Run(definition.named("fetch"), key, request=f"fetch {uuid.uuid4()}"), send)


def enqueue(database: Database, run: Run, send: Send) -> None:
    """Record a run as due, then send its message: a message that is lost leaves a trace in the ledger."""
    send(ledger.request(database, run))
