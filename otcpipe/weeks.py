"""The feed's calendar: weeks end on Fridays; a tier is published a fixed number of days after its Monday."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from otcpipe import trading_calendar
from otcpipe.datasets import TIERS, WEEKLY
from otcpipe.errors import Invalid

NEW_YORK = ZoneInfo("America/New_York")
PUBLICATION_TIME = time(6, 0)  # New York; seen as early as 03:50
DELAY = {tier.name: tier.delay for tier in WEEKLY.tiers}  # from the Monday
GRACE = timedelta(days=2)  # from Monday to the Wednesday on which the week is fetched
FRIDAY = 4
EARLIEST = date(2014, 1, 1)  # no week was published before
LATEST = date(2099, 12, 31)  # a later date is a mistake, and calendar arithmetic stays in bounds up to it
LAST_MOMENT = datetime.combine(LATEST, time.max, NEW_YORK)


def week_ending(day: date) -> date:
    """The Friday of the Monday-to-Sunday week that contains the day."""
    return day + timedelta(days=FRIDAY - day.weekday())


def is_week(day: date) -> bool:
    """Whether the day is a Friday within the bounds of the feed; `otc.is_partition` states the same in SQL."""
    return day.weekday() == FRIDAY and EARLIEST <= day <= LATEST


def today(now: datetime) -> date:
    """The day in New York, up to which a week may end."""
    return now.astimezone(NEW_YORK).date()


def check_week(friday: date, now: datetime) -> date:
    """The Friday of a week that the feed may hold; raises Invalid for any other day, or a week that has not ended."""
    if friday.weekday() != FRIDAY:
        raise Invalid(f"{friday} is not a Friday, on which weeks end.")
    if friday > min(today(now), LATEST):
        raise Invalid(f"The week ending {friday} has not ended yet.")
    if friday < EARLIEST:
        raise Invalid(f"The week ending {friday} was never published: the feed begins in {EARLIEST.year}.")
    return friday


def published_on(friday: date, tier: str) -> date:
    """The day of first publication: a Monday, or the Tuesday after an NYSE holiday."""
    monday = friday - timedelta(days=FRIDAY) + DELAY[tier]
    return monday + timedelta(days=1) if monday in trading_calendar.closings() else monday


def due_at(friday: date, tier: str) -> datetime:
    """The moment from which the week's absence is lateness."""
    return datetime.combine(published_on(friday, tier), PUBLICATION_TIME, NEW_YORK)


def week_published_on(day: date, tier: str) -> date:
    """The week whose first publication was on the day; raises Invalid when nothing is published then."""
    monday = day - timedelta(days=day.weekday())
    friday = week_ending(monday - DELAY[tier]) if EARLIEST < day <= LATEST else None
    if friday is None or not is_week(friday) or published_on(friday, tier) != day:
        raise Invalid(f"{day} is not a publication date of tier {tier}; give the week with --week.")
    return friday


def newest_published(now: datetime, tier: str) -> date:
    """The newest week of the tier that is due."""
    friday = week_ending(now.astimezone(NEW_YORK).date() - DELAY[tier])
    return friday if due_at(friday, tier) <= now else friday - timedelta(days=7)


def parse_week(text: str, now: datetime) -> date:
    """The Friday of the week that an ISO date stands for; raises Invalid as `check_week` does."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a date; write it as YYYY-MM-DD.") from None
    return check_week(week_ending(day), now)


def parse_span(first: str | None, last: str | None, now: datetime) -> tuple[date | None, date | None]:
    """The Fridays of a first and a last week, where given; raises Invalid where the first is after the last."""
    begin, end = (None if text is None else parse_week(text, now) for text in (first, last))
    if begin and end and begin > end:
        raise Invalid(f"The week ending {begin} is after the week ending {end}.")
    return begin, end


def parse_moment(text: str, now: datetime) -> datetime:
    """A moment of the feed up to now, in UTC, from ISO text; raises Invalid where it names no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a time; write it as 2025-12-15T09:30:00-05:00.") from None
    if moment.tzinfo is None or moment > now:
        raise Invalid(f"{text!r} must name its zone and lie in the past, as 2025-12-15T09:30:00-05:00.")
    return check_moment(moment)


def check_moment(moment: datetime) -> datetime:
    """The moment in UTC; raises Invalid outside the years in which weeks can be published."""
    if not EARLIEST.year <= moment.year <= LATEST.year:
        raise Invalid(f"{moment.isoformat()} is outside the feed, which begins in {EARLIEST.year}.")
    return moment.astimezone(UTC)


def parse_tier(text: str) -> str:
    """T1, T2 or OTCE, from either FINRA's identifier or its description."""
    for tier, description in TIERS.items():
        if text in (tier, description):
            return tier
    raise Invalid(f"{text!r} is not a tier; choose from {', '.join(TIERS)}.")


def state_of(friday: date, tier: str, now: datetime) -> str:
    """not_due, due or late: what the calendar says of a partition that nobody has touched."""
    late_by = now - due_at(friday, tier)
    if late_by < timedelta(0):
        return "not_due"
    return "due" if late_by < GRACE else "late"


def days_late(friday: date, tier: str, now: datetime) -> int:
    """Whole days since the partition was due; 0 until it is late, which all tiers are from their Wednesday on."""
    return (now - due_at(friday, tier)).days if state_of(friday, tier, now) == "late" else 0
