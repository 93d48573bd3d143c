"""The feed's calendar: weeks end on Fridays, and each tier is published a fixed number of days after the Monday."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from otcpipe.datasets import TIERS, WEEKLY
from otcpipe.errors import Invalid
from otcpipe.text.choices import choose
from otcpipe.weeks import trading_calendar

NEW_YORK = ZoneInfo("America/New_York")
PUBLICATION_TIME = time(6, 0)  # New York; seen as early as 03:50
DELAY = {tier.name: tier.delay for tier in WEEKLY.tiers}  # from the Monday of the week to publication
GRACE = timedelta(days=2)  # from the publication on Monday to the scheduled fetch on Wednesday
FRIDAY = 4
DAY, MOMENT = "2025-12-15", "2025-12-15T09:30:00-05:00"  # examples
EARLIEST = date(2014, 1, 1)  # the feed has no week before
LATEST = date(2099, 12, 31)  # a later date is a typing error; the bound keeps date arithmetic from overflowing
LAST_MOMENT = datetime.combine(LATEST, time.max, NEW_YORK)


def week_ending(day: date) -> date:
    """Return the Friday of the Monday-to-Sunday week that contains the day."""
    return day + timedelta(days=FRIDAY - day.weekday())


def is_week(day: date) -> bool:
    """Return whether the day is a Friday within the feed's bounds; `otc.is_partition` is the same check in SQL."""
    return day.weekday() == FRIDAY and EARLIEST <= day <= LATEST


def today(now: datetime) -> date:
    """Return the date in New York; a week that ends later has not ended yet."""
    return now.astimezone(NEW_YORK).date()


def check_week(friday: date, now: datetime) -> date:
    """Return the Friday; raises Invalid if it is not the end of a past week within the bounds of the feed."""
    if friday.weekday() != FRIDAY:
        raise Invalid(f"{friday} is not a Friday; weeks end on Fridays.")
    if friday > min(today(now), LATEST):
        raise Invalid(f"The week ending {friday} has not ended yet.")
    if friday < EARLIEST:
        raise Invalid(f"The week ending {friday} was never published: the feed begins in {EARLIEST.year}.")
    return friday


def published_on(friday: date, tier: str) -> date:
    """Return the day of first publication: a Monday, or the next day on which the NYSE is open."""
    day = friday - timedelta(days=FRIDAY) + DELAY[tier]
    while day in trading_calendar.closings():
        day += timedelta(days=1)
    return day


def due_at(friday: date, tier: str) -> datetime:
    """Return the moment at which the partition is due: 6:00 in New York on its day of publication."""
    return datetime.combine(published_on(friday, tier), PUBLICATION_TIME, NEW_YORK)


def week_published_on(day: date, tier: str) -> date:
    """Return the week first published on the day; raises Invalid if it is not a publication date of the tier."""
    monday = day - timedelta(days=day.weekday())
    friday = week_ending(monday - DELAY[tier]) if EARLIEST < day <= LATEST else None
    if friday is None or not is_week(friday) or published_on(friday, tier) != day:
        raise Invalid(f"{day} is not a publication date of tier {tier}; give the week with --week.")
    return friday


def newest_published(now: datetime, tier: str) -> date:
    """Return the newest week of the tier that is due."""
    friday = week_ending(now.astimezone(NEW_YORK).date() - DELAY[tier])
    return friday if due_at(friday, tier) <= now else friday - timedelta(days=7)


def parse_week(text: str, now: datetime) -> date:
    """Return the Friday of the week that contains an ISO date; raises Invalid as `check_week` does."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a date; write it as YYYY-MM-DD.") from None
    return check_week(week_ending(day), now)


def parse_span(first: str | None, last: str | None, now: datetime) -> tuple[date | None, date | None]:
    """Return the Fridays of a first and a last week, None if not given; raises Invalid if they are out of order."""
    begin, end = (None if text is None else parse_week(text, now) for text in (first, last))
    if begin and end and begin > end:
        raise Invalid(f"The week ending {begin} is after the week ending {end}.")
    return begin, end


def parse_moment(text: str, now: datetime, example: str = MOMENT) -> datetime:
    """Return a past moment in UTC from ISO text; raises Invalid if it has no time zone or lies in the future."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a time; write it as {example}.") from None
    if moment.tzinfo is None:
        raise Invalid(f"{text!r} has no time zone; write it as {example}.")
    if moment > now:
        raise Invalid(f"{text!r} lies in the future; give a moment in the past.")
    return check_moment(moment)


def parse_as_of(text: str, now: datetime) -> datetime:
    """Return the moment of knowledge that a text means: a moment, or a date for the end of that day in New York.

    Today means now. Raises Invalid as `parse_moment` does, and for a date in the future.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return parse_moment(text, now, f"{DAY}, the end of that day, or {MOMENT}")
    if day > today(now):
        raise Invalid(f"{day} lies in the future: give a past date, or today's for what is known now.")
    return min(check_moment(datetime.combine(day, time.max, NEW_YORK)), now.astimezone(UTC))


def check_moment(moment: datetime) -> datetime:
    """Return the moment in UTC; raises Invalid outside the years of the feed."""
    if not EARLIEST.year <= moment.year <= LATEST.year:
        raise Invalid(f"{moment.isoformat()} is outside the feed, which begins in {EARLIEST.year}.")
    return moment.astimezone(UTC)


def parse_tier(text: str, *more: str) -> str:
    """Return T1, T2 or OTCE from FINRA's identifier or its description, or one of `more`; raises Invalid."""
    return choose(text, [*TIERS, *more], "tier", {description: tier for tier, description in TIERS.items()})


def state_of(friday: date, tier: str, now: datetime) -> str:
    """Return not_due, due or late: the state of a partition that was never requested."""
    late_by = now - due_at(friday, tier)
    if late_by < timedelta(0):
        return "not_due"
    return "due" if late_by < GRACE else "late"


def days_late(friday: date, tier: str, now: datetime) -> int:
    """Return the whole days since the partition was due; 0 until it is late."""
    return (now - due_at(friday, tier)).days if state_of(friday, tier, now) == "late" else 0
