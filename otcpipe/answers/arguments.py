"""Values of command line arguments: a week, a scope, one of several choices."""

from collections.abc import Sequence
from datetime import date

from otcpipe import resources, weeks
from otcpipe.datasets import TIERS
from otcpipe.errors import Invalid

SCOPES = ("ATS", "NON_ATS", "ALL")


def week(text: str | None) -> date | None:
    """Return the Friday of the week that contains a date; None for no text. Raises Invalid."""
    return weeks.parse_week(text, resources.settings().now()) if text else None


def tiers(given: Sequence[str]) -> list[str]:
    """Return the tiers that were given, by default those of OTCPIPE_TIERS; raises Invalid."""
    return [tier(text) for text in given] or list(resources.settings().tiers)


def scope(text: str) -> str:
    """Return the scope if it exists; raises Invalid."""
    return choice(text, SCOPES, "scope")


def tier(text: str) -> str:
    """Return T1, T2 or OTCE from FINRA's identifier or its description in any case; raises Invalid."""
    names = {name.casefold(): tier for tier, description in TIERS.items() for name in (tier, description)}
    return names.get(text.casefold()) or weeks.parse_tier(text)


def choice(text: str, among: tuple[str, ...], what: str) -> str:
    """Return the choice that the text is, in any case; raises Invalid, which lists the choices."""
    for one in among:
        if text.casefold() == one.casefold():
            return one
    article = "an" if what[0] in "aeiou" else "a"
    raise Invalid(f"{text!r} is not {article} {what}; choose from {', '.join(among)}.")
