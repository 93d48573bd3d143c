"""What is asked for: the parameters that pages and the API share, and how they are read."""

from datetime import date, datetime
from typing import Annotated

from fastapi import Query

from otcpipe import resources, weeks
from otcpipe.answers import arguments, ranking
from otcpipe.datasets import ALL_TIERS
from otcpipe.errors import Invalid
from otcpipe.text.choices import choose

LONGEST = 200  # characters of a text

Text = Annotated[str, Query(max_length=LONGEST)]
Symbol = Annotated[str, Query(max_length=LONGEST, description="Case-sensitive, such as BRK.B.")]
Week = Annotated[str, Query(max_length=LONGEST, description="Any date in the week; default: the newest.")]
Weeks = Annotated[int, Query(ge=1, le=1040, description="Number of weeks.")]
Scope = Annotated[str, Query(max_length=LONGEST, description="ATS, NON_ATS or ALL.")]
Tier = Annotated[str, Query(max_length=LONGEST, description="T1, T2 or OTCE.")]
VenueTier = Annotated[str, Query(max_length=LONGEST, description="T1, T2, OTCE or ALL_TIERS.")]
AsOf = Annotated[
    str,
    Query(
        max_length=LONGEST,
        description="As known at a moment, ISO with zone, or at the end of a day in New York; default: now.",
    ),
]


def text(given: str, what: str) -> str:
    """Return a text that PostgreSQL can hold; raises Invalid for an empty one, or one with a NUL."""
    if not given.strip() or "\0" in given or given.encode(errors="replace").decode() != given:
        raise Invalid(f"Give {what} as text.")
    return given


def venue(given: str) -> str:
    """Return what identifies a venue: an MPID, a name, or `CRD` and a number, which may be given alone.

    Raises Invalid.
    """
    named = text(given, "a venue")
    return f"CRD {int(named)}" if named.isascii() and named.isdigit() else named


def week(given: str) -> date | None:
    """Return the Friday of the week that contains a date; None for no text. Raises Invalid."""
    return arguments.week(given or None)


def required_week(given: str) -> date:
    """Return the Friday of the week that contains a date; raises Invalid, also for no text."""
    return weeks.parse_week(given, resources.settings().now())


def span(first: str, last: str) -> tuple[date | None, date | None]:
    """Return the Fridays of the first and the last week, None for no text; raises Invalid."""
    return weeks.parse_span(first or None, last or None, resources.settings().now())


def order(given: str) -> str:
    """Return an order of symbols; raises Invalid."""
    return choose(given, ranking.BY, "order")


def scope(given: str) -> str | None:
    """Return the scope; None for no text. Raises Invalid."""
    return arguments.scope(given) if given else None


def tier(given: str) -> str | None:
    """Return the tier; None for no text. Raises Invalid."""
    return arguments.tier(given) if given else None


def venue_tier(given: str) -> str | None:
    """Return the tier, which may be all tiers together; None for no text. Raises Invalid."""
    return weeks.parse_tier(given, ALL_TIERS) if given else None


def moment(given: str) -> datetime | None:
    """Return the moment of knowledge; None for no text. Raises Invalid."""
    return weeks.parse_as_of(given.replace(" ", "+"), resources.settings().now()) if given else None
