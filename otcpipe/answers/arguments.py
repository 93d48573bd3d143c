"""Values of command line arguments: a week, a scope, one of several choices."""

from collections.abc import Sequence
from datetime import date, datetime

from otcpipe import resources, weeks
from otcpipe.datasets import SCOPES
from otcpipe.text.choices import choose


def week(text: str | None) -> date | None:
    """Return the Friday of the week that contains a date; None for no text. Raises Invalid."""
    return weeks.parse_week(text, resources.settings().now()) if text else None


def moment(text: str | None) -> datetime | None:
    """Return the moment of knowledge that a text means; None for no text, now. Raises Invalid."""
    return weeks.parse_as_of(text, resources.settings().now()) if text else None


def tiers(given: Sequence[str]) -> list[str]:
    """Return the tiers that were given, by default those of OTCPIPE_TIERS; raises Invalid."""
    return [tier(text) for text in given] or list(resources.settings().tiers)


def scope(text: str) -> str:
    """Return the scope if it exists; raises Invalid."""
    return choose(text, SCOPES, "scope")


def tier(text: str) -> str:
    """Return T1, T2 or OTCE from FINRA's identifier or its description; raises Invalid."""
    return weeks.parse_tier(text)
