"""Values of command line arguments: a week, a scope, one of several choices."""

from collections.abc import Sequence
from datetime import date

from otcpipe import resources, weeks
from otcpipe.errors import Invalid

SCOPES = ("ATS", "NON_ATS", "ALL")


def week(text: str | None) -> date | None:
    """Return the Friday of the week that contains a date; None for no text. Raises Invalid."""
    return weeks.parse_week(text, resources.settings().now()) if text else None


def tiers(given: Sequence[str]) -> list[str]:
    """Return the tiers that were given, by default those of OTCPIPE_TIERS; raises Invalid."""
    return [weeks.parse_tier(text) for text in given] or list(resources.settings().tiers)


def scope(text: str) -> str:
    """Return the scope if it exists; raises Invalid."""
    return choice(text, SCOPES, "scope")


def choice(text: str, among: tuple[str, ...], what: str) -> str:
    """Return the text if it is one of the choices; raises Invalid, which lists them."""
    if text not in among:
        raise Invalid(f"{text!r} is not a {what}; choose from {', '.join(among)}.")
    return text
