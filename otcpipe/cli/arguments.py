"""What people ask for, from text: a week, a scope, an order."""

from datetime import date

from otcpipe import resources, weeks
from otcpipe.errors import Invalid

SCOPES = ("ATS", "NON_ATS", "ALL")


def week(text: str | None) -> date | None:
    return weeks.parse_week(text, resources.settings().now()) if text else None


def scope(text: str) -> str:
    return choice(text, SCOPES, "scope")


def choice(text: str, among: tuple[str, ...], what: str) -> str:
    if text not in among:
        raise Invalid(f"{text!r} is not a {what}; choose from {', '.join(among)}.")
    return text
