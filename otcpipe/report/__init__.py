"""The weekly report: one self-contained page of HTML."""

from datetime import date, datetime
from typing import Any

from otcpipe.errors import Invalid
from otcpipe.records import ATTRIBUTION
from otcpipe.report.gather import gather
from otcpipe.report.rendering import environment
from otcpipe.storage.postgres import Database

__all__ = ["make", "variables"]


def make(database: Database, week: date | None, now: datetime, server: str | None = None) -> tuple[date, str]:
    """Return a week, by default the newest with all tiers, and its page; raises Invalid if it is not loaded.

    With the address of a `server`, symbols are links to its pages.
    """
    found = variables(database, week, now)
    page = environment().get_template("page.html")
    return found["week"], page.render(found, attribution=ATTRIBUTION, server=server)


def variables(database: Database, week: date | None, now: datetime) -> dict[str, Any]:
    """Return the variables of the page; raises Invalid if the week is not loaded."""
    found = gather(database, week, now)
    if found is None:
        missing = f"No partition of the week ending {week} counts" if week else "Nothing is loaded"
        raise Invalid(f"{missing}: load one with `otcpipe import FILE` or `otcpipe enqueue --week DATE`.")
    return found | {"made_at": now}
