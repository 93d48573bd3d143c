"""Times: the fires of a schedule between two moments. A schedule is five crontab fields in New York time."""

from datetime import UTC, datetime, timedelta

from apscheduler.triggers.cron import CronTrigger

from otcpipe.errors import Invalid
from otcpipe.weeks import NEW_YORK

NEVER = "off"
SECOND = timedelta(seconds=1)
LOOKBACKS = (timedelta(hours=1), timedelta(days=1), timedelta(days=8), timedelta(days=370))


def trigger(setting: str, text: str) -> CronTrigger | None:
    """Return the trigger of a setting; None if it is off. Raises Invalid, naming the setting."""
    if text == NEVER:
        return None
    try:
        days = text.rsplit(maxsplit=1)[-1]
        if any(character.isdigit() for character in days):  # 0 is Sunday to cron and Monday to APScheduler
            raise Invalid(f"OTCPIPE_{setting} must name its days of the week: mon to sun, or *.")
        return CronTrigger.from_crontab(text, NEW_YORK)
    except (ValueError, IndexError):
        raise Invalid(
            f"OTCPIPE_{setting} must be `{NEVER}` or minute, hour, day, month and day of the week, as `0 6 * * wed`."
        ) from None


def following(trigger: CronTrigger | None, after: datetime) -> datetime | None:
    """Return the first fire after a moment, in UTC; None if the schedule is off or has no further fire."""
    if trigger is None:
        return None
    # whole seconds: with fractions the trigger loses track of which of the two hours of an autumn night it is
    begin = (after.astimezone(UTC).replace(microsecond=0) + SECOND).astimezone(NEW_YORK)
    found: datetime | None = trigger.get_next_fire_time(None, begin)
    return found.astimezone(UTC) if found else None


def latest(trigger: CronTrigger | None, after: datetime, until: datetime) -> datetime | None:
    """Return the last fire after `after` and not after `until`; None if there is none. So missed fires are due once.

    Looks back over increasing spans, so that a long absence does not mean counting each of its minutes.
    """
    for span in LOOKBACKS:
        begin = max(after, until - span)
        found = _last(trigger, begin, until)
        if found or begin == after:
            return found
    return _last(trigger, after, until)


def _last(trigger: CronTrigger | None, after: datetime, until: datetime) -> datetime | None:
    found, fire = None, following(trigger, after)
    while fire and fire <= until:
        found, fire = fire, following(trigger, fire)
    return found
