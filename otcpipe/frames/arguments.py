"""Arguments as notebooks have them: texts, dates, timestamps, lists and series."""

from collections.abc import Iterable
from datetime import date, datetime

from otcpipe import weeks
from otcpipe.errors import Invalid

Day = date | str
MIDNIGHT = " 00:00:00"  # how the text of a day's timestamp ends


def texts(values: str | Iterable[str] | None, what: str) -> list[str] | None:
    """Return one text or several as a list without duplicates; raises Invalid for what is no text."""
    if values is None:
        return None
    try:
        found = [values] if isinstance(values, str) else list(dict.fromkeys(values))
    except TypeError:
        raise Invalid(f"{values!r} is no list of {what}.") from None
    for one in found:
        if not isinstance(one, str) or "\0" in one or not _is_utf8(one):
            raise Invalid(f"{one!r} is not text: give {what} as text.")
    return [str(one) for one in found]


def span(week: Day | None, first: Day | None, last: Day | None, now: datetime) -> tuple[date, date]:
    """Return the Fridays of the first and the last week; raises Invalid if they contradict each other."""
    if week is not None and (first is not None or last is not None):
        raise Invalid("Give either `week`, or `first` and `last`.")
    if week is not None:
        first = last = week
    days = [None if day is None else str(day).removesuffix(MIDNIGHT) for day in (first, last)]
    begin, end = weeks.parse_span(days[0], days[1], now)
    return begin or date.min, end or date.max


def moment(as_of: datetime | Day | None, now: datetime) -> datetime | None:
    """Return the moment of knowledge, in UTC; None for now. Raises Invalid as `weeks.parse_as_of` does."""
    return None if as_of is None else weeks.parse_as_of(str(as_of), now)


def moments(
    as_of: datetime | Day | None, vintages: Iterable[datetime | Day] | None, now: datetime
) -> list[datetime | None]:
    """Return the moments of knowledge in the given order, each once; raises Invalid for both or none."""
    if vintages is None:
        return [moment(as_of, now)]
    if as_of is not None:
        raise Invalid("Give either `as_of` or `vintages`.")
    if isinstance(vintages, (str, date)):
        raise Invalid("Give `vintages` as a list of moments.")
    found = list(dict.fromkeys(moment(one, now) for one in vintages))
    if None in found:
        raise Invalid("None is no moment for `vintages`: give the time now as a moment.")
    if not found:
        raise Invalid("Give at least one moment in `vintages`.")
    return found


def _is_utf8(text: str) -> bool:
    return text.encode(errors="replace").decode() == text
