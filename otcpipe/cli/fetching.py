"""Commands that ask FINRA for partitions."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from otcpipe import broker, keys, ledger, rotation, services, stages, weeks
from otcpipe import revisions as _revisions
from otcpipe.cli import watch
from otcpipe.cli.console import say
from otcpipe.errors import Invalid
from otcpipe.ledger import Run
from otcpipe.records import TIERS, Partition

WEEK = timedelta(days=7)
PAGES = {"T1": 16, "T2": 35, "OTCE": 6}  # of an ordinary week, the first read twice
UNDER_WAY = ("queued", "running")


def enqueue(week: str, tiers: Sequence[str], *, refresh: bool, wait: bool) -> None:
    """Start the fetch of a week's partitions, each unless it is not due, under way, or there already."""
    now = services.settings().now()
    friday = weeks.parse_week(week, now)
    partitions = [Partition(friday, tier) for tier in _tiers(tiers)]
    broker.reach()
    states = _states(partitions)
    started = []
    for partition in partitions:
        hindrance = _hindrance(partition, states.get(partition), now, refresh=refresh)
        say(f"{partition.tier} {partition.week_ending}: {hindrance or 'enqueued'}.")
        if not hindrance:
            submit(_fetch_of(partition))
        if not hindrance or states.get(partition) in UNDER_WAY:
            started.append(partition)
    if wait:
        watch.until_done(started)


def backfill(first: str, last: str | None, tiers: Sequence[str], *, is_dry: bool, wait: bool) -> None:
    """Start the fetch of all partitions of a span of weeks that are due and not there, newest first."""
    now = services.settings().now()
    begin = weeks.parse_week(first, now)
    end = weeks.parse_week(last, now) if last else weeks.week_ending(now.date()) - WEEK
    if begin > end:
        raise Invalid(f"The week ending {begin} is not before the week ending {end}.")
    span = [begin + WEEK * number for number in range((end - begin) // WEEK + 1)]
    partitions = [Partition(friday, tier) for friday in reversed(span) for tier in _tiers(tiers)]
    states = _states(partitions)
    missing = [one for one in partitions if not _hindrance(one, states.get(one), now, refresh=False)]
    pages, rate = sum(PAGES[one.tier] for one in missing), int(services.settings()["FINRA_RATE"])
    say(
        f"{len(partitions):,} partitions from {begin} to {end}: {len(missing):,} to fetch, some {pages:,} pages, "
        f"at least {pages / rate:,.0f} s at {rate} requests a second."
    )
    if missing and not is_dry:
        broker.reach()
        for partition in missing:
            submit(_fetch_of(partition))
        say(f"Enqueued {len(missing):,}.")
    if missing and wait and not is_dry:
        watch.until_done(missing)


def refresh(number: int | None, max_requests: int, *, is_dry: bool, wait: bool) -> None:
    """Ask again for what is most urgent within a budget of requests; the order is `rotation`'s."""
    now = services.settings().now()
    first = weeks.week_ending(now.date()) - WEEK * number if number else date.min
    known = _revisions.refreshable(services.warehouse(), first)
    busy = {one for one, state in _states([one.partition for one in known]).items() if state in UNDER_WAY}
    chosen = rotation.chosen([one for one in known if one.partition not in busy], now, max_requests)
    requests = sum(candidate.requests for candidate in chosen)
    say(f"{len(chosen):,} of {len(known):,} partitions to ask for again, with some {requests:,} requests.")
    if is_dry or not chosen:
        for candidate in chosen:
            days = (now - candidate.observed_at).days
            say(f"{candidate.partition.tier} {candidate.partition.week_ending}: last asked for {days} days ago.")
        return
    broker.reach()
    for candidate in chosen:
        submit(_fetch_of(candidate.partition))
    if wait:
        watch.until_done([candidate.partition for candidate in chosen])


def submit(run: Run) -> None:
    """The ledger first: a message that gets lost leaves its trace there."""
    broker.send(ledger.request(services.warehouse(), run))


def _tiers(given: Sequence[str]) -> list[str]:
    return [weeks.parse_tier(text) for text in given] or list(TIERS)


def _fetch_of(partition: Partition) -> Run:
    key = keys.of_partition(services.settings()["S3_PREFIX"], partition)
    return Run(stages.named("fetch"), key, request=f"fetch {uuid.uuid4()}")


def _states(partitions: Iterable[Partition]) -> dict[Partition, str]:
    """The ledger's word on partitions; one that was only ever imported from a file may still be fetched."""
    weeks_asked = {partition.week_ending for partition in partitions}
    only: date | None = weeks_asked.pop() if len(weeks_asked) == 1 else None
    rows = ledger.partitions(services.warehouse(), only)
    return {
        Partition(row["week_ending"], row["tier"]): row["state"]
        for row in rows
        if row["source"] == "api" or row["state"] in UNDER_WAY
    }


def _hindrance(partition: Partition, state: str | None, now: datetime, *, refresh: bool) -> str:
    """Why not to fetch; nothing when there is no reason."""
    due = weeks.due_at(partition.week_ending, partition.tier)
    if due > now:
        return f"not due before {due:%Y-%m-%d %H:%M} New York time"
    if state in UNDER_WAY:
        return "under way already"
    if state == "done" and not refresh:
        return "done already; --refresh asks FINRA again"
    return ""
