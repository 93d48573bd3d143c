"""Enqueue fetches of partitions from FINRA's API."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from otcpipe import resources, weeks
from otcpipe.answers import arguments
from otcpipe.broker import actors
from otcpipe.cli import watch
from otcpipe.cli.console import say
from otcpipe.errors import Invalid
from otcpipe.pipeline import capacity, planning
from otcpipe.pipeline.refresh import most_urgent, quiet_reason, refreshable
from otcpipe.records import Partition
from otcpipe.text.counting import counted

WHYS = {"done": "loaded already", "queued": "under way", "running": "under way", "held": "held for quality"}


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
    end = weeks.parse_week(last, now) if last else weeks.week_ending(weeks.today(now)) - planning.WEEK
    if begin > end:
        raise Invalid(f"The week ending {begin} is not before the week ending {end}.")
    partitions = planning.partitions_between(begin, end, arguments.tiers(tiers))
    states = planning.states(resources.database(), partitions)
    missing = planning.missing(partitions, states, now)
    span = f"{counted(len(partitions), 'partition')} from {begin} to {end}"
    others = _others(set(partitions) - set(missing), states, now)
    if missing:
        rate = int(resources.settings()["FINRA_RATE"])
        some = f"by the usual sizes of a week {capacity.of(missing, rate).effort(rate)}"
        say(" ".join([f"{span}: {len(missing):,} to fetch, {some}.", *others]))
    else:
        say(" ".join([f"{span}: nothing to fetch.", *others]))
    if missing and not is_dry:
        actors.ping()
        enqueue_partitions(missing)
        say(f"Enqueued {len(missing):,}.")
    if missing and wait and not is_dry:
        watch.until_done(missing)


def _others(partitions: Iterable[Partition], states: Mapping[Partition, str], now: datetime) -> list[str]:
    """Say how many partitions are not fetched, and why."""
    whys = Counter(
        "not published yet" if weeks.due_at(one.week_ending, one.tier) > now else WHYS[states[one]]
        for one in partitions
    )
    some = ", ".join(
        f"{whys[why]:,} {why}" for why in (*dict.fromkeys(WHYS.values()), "not published yet") if whys[why]
    )
    return [f"Not fetched: {some}."] if some else []


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
