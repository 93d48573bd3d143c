"""Enqueue fetches of partitions from FINRA's API."""

from collections.abc import Sequence
from datetime import date
from math import ceil

from otcpipe import resources, weeks
from otcpipe.answers import arguments
from otcpipe.broker import actors
from otcpipe.cli import watch
from otcpipe.cli.console import say
from otcpipe.errors import Invalid
from otcpipe.pipeline import planning
from otcpipe.pipeline.capacity import usual_requests
from otcpipe.pipeline.refresh import most_urgent, quiet_reason, refreshable
from otcpipe.records import Partition
from otcpipe.text.counting import counted


def enqueue(week: str, tiers: Sequence[str], *, refresh: bool, wait: bool) -> None:
    """Enqueue a week's partitions, except those that are not due, running, or captured already."""
    now = resources.settings().now()
    friday = weeks.parse_week(week, now)
    partitions = [Partition(friday, tier) for tier in arguments.tiers(tiers)]
    actors.ping()
    states = planning.states(resources.database(), partitions)
    started = []
    for partition in partitions:
        skip_reason = planning.skip_reason(partition, states.get(partition), now, refresh=refresh)
        say(f"{partition.tier} {partition.week_ending}: {skip_reason or 'enqueued'}.")
        if not skip_reason:
            enqueue_partitions([partition])
        if not skip_reason or states.get(partition) in planning.UNDER_WAY:
            started.append(partition)
    if wait:
        watch.until_done(started)


def backfill(first: str, last: str | None, tiers: Sequence[str], *, is_dry: bool, wait: bool) -> None:
    """Enqueue all partitions between two weeks that are due and missing, newest first. Raises Invalid."""
    now = resources.settings().now()
    begin = weeks.parse_week(first, now)
    end = weeks.parse_week(last, now) if last else weeks.week_ending(now.date()) - planning.WEEK
    if begin > end:
        raise Invalid(f"The week ending {begin} is not before the week ending {end}.")
    partitions = planning.partitions_between(begin, end, arguments.tiers(tiers))
    missing = planning.missing(partitions, planning.states(resources.database(), partitions), now)
    span = f"{counted(len(partitions), 'partition')} from {begin} to {end}"
    if missing:
        pages, rate = sum(map(usual_requests, missing)), int(resources.settings()["FINRA_RATE"])
        seconds = max(1, ceil(pages / rate))
        some = f"at their usual sizes {counted(pages, 'page')} and at least {seconds:,} s at {rate} requests a second"
        others = "" if len(missing) == len(partitions) else " The others are done, under way or not due yet."
        say(f"{span}: {len(missing):,} to fetch, {some}.{others}")
    else:
        say(f"{span}: nothing to fetch, all are done, under way or not due yet.")
    if missing and not is_dry:
        actors.ping()
        enqueue_partitions(missing)
        say(f"Enqueued {len(missing):,}.")
    if missing and wait and not is_dry:
        watch.until_done(missing)


def refresh(number: int | None, max_requests: int, *, is_dry: bool, wait: bool) -> None:
    """Enqueue published partitions again, most overdue first (see `pipeline.refresh`), within a budget."""
    now = resources.settings().now()
    first = weeks.week_ending(now.date()) - planning.WEEK * number if number else date.min
    known = refreshable(resources.database(), first, resources.settings().tiers)
    states = planning.states(resources.database(), [one.partition for one in known])
    busy = {one for one, state in states.items() if state in planning.UNDER_WAY}
    at_rest = [one for one in known if one.partition not in busy]
    chosen = most_urgent(at_rest, now, max_requests)
    if not chosen:
        say(
            f"Nothing to ask for again: {quiet_reason(at_rest, now, max_requests)}. "
            "`otcpipe run --week DATE --refresh` asks for a week at once."
        )
        return
    requests = counted(sum(candidate.requests for candidate in chosen), "request")
    say(f"{len(chosen):,} of {counted(len(known), 'partition')} to ask for again, with {requests}.")
    if is_dry:
        for candidate in chosen:
            days = counted((now - candidate.observed_at).days, "day")
            say(f"{candidate.partition.tier} {candidate.partition.week_ending}: last asked for {days} ago.")
        return
    actors.ping()
    enqueue_partitions([candidate.partition for candidate in chosen])
    if wait:
        watch.until_done([candidate.partition for candidate in chosen])


def enqueue_partitions(partitions: Sequence[Partition]) -> None:
    """Enqueue partitions, and record in S3 from which week on partitions are expected."""
    settings = resources.settings()
    planning.enqueue_fetches(
        resources.database(), resources.store(), settings["S3_PREFIX"], partitions, actors.send, settings.now()
    )
