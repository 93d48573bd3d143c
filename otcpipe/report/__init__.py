"""The weekly report: one self-contained page of HTML."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from otcpipe.datasets import TIERS
from otcpipe.errors import Invalid
from otcpipe.records import ATTRIBUTION
from otcpipe.report.gather import gather, week_of
from otcpipe.report.rendering import environment
from otcpipe.storage.postgres import Database

__all__ = ["make", "variables", "week_of"]


def make(
    database: Database,
    week: date | None,
    now: datetime,
    server: str | None = None,
    tiers: Collection[str] = tuple(TIERS),
) -> tuple[date, str]:
    """Return a week, by default the newest with all tiers, and its page; raises Invalid if it is not loaded.

    With the address of a `server`, symbols are links to its pages. The map of coverage has the `tiers` that are
    wanted, and others only where they are loaded.
    """
    found = variables(database, week, now, tiers)
    page = environment().get_template("page.html")
    return found["week"], page.render(found, attribution=ATTRIBUTION, server=server)


def variables(
    database: Database, week: date | None, now: datetime, tiers: Collection[str] = tuple(TIERS)
) -> dict[str, Any]:
    """Return the variables of the page; raises Invalid if the week is not loaded."""
    found = gather(database, week, now, tiers)
    if found is None:
        missing = f"No partition of the week ending {week} counts" if week else "Nothing is loaded"
        raise Invalid(f"{missing}: load one with `otcpipe import FILE` or `otcpipe enqueue --week DATE`.")
    return found | {"made_at": now}
