"""Which partitions are loaded: a map of half a year, and the three of the week."""

from collections.abc import Collection
from datetime import date, datetime

from otcpipe import weeks
from otcpipe.datasets import TIERS
from otcpipe.metrics.definitions import WEEK
from otcpipe.storage.postgres import Row, Transaction

WEEKS, LATER = 26, 4  # weeks on the map; how many of them after the week of the report
WORDS = {
    "whole": "loaded, ATS and non-ATS",
    "ats": "loaded, ATS only",
    "waiting": "queued or running",
    "failed": "failed, or held by its grade",
    "missing": "published, not loaded",
    "not_due": "not published yet",
}


def coverage(transaction: Transaction, states: list[Row], week: date, now: datetime, wanted: Collection[str]) -> Row:
    """Return `map`, the marks of each tier by week, oldest first, and `week`, one row for each tier.

    A tier that is not wanted is left out, unless something of it is loaded.
    """
    newest = max(week, weeks.newest_published(now, "T1"))
    last = min(newest, week + LATER * WEEK)
    dates = [last - number * WEEK for number in reversed(range(WEEKS))]
    loaded = transaction.rows("report_partitions", first=dates[0], last=last)
    covers = {(row["week_ending"], row["tier"]): row["covers_all"] for row in loaded}
    known = {(row["week_ending"], row["tier"]): row for row in states}
    tiers = [tier for tier in TIERS if tier in wanted or tier in {of for _, of in covers}]
    marks = {
        tier: [
            _mark(known.get((day, tier)), covers.get((day, tier)), weeks.state_of(day, tier, now)) for day in dates
        ]
        for tier in tiers
    }
    rows = [
        {
            "tier": tier,
            "mark": marks[tier][dates.index(week)],
            "published_on": weeks.published_on(week, tier),
            "run": known.get((week, tier)),
        }
        for tier in tiers
    ]
    return {"dates": dates, "map": marks, "week": rows, "words": WORDS}


def _mark(run: Row | None, covers_all: bool | None, calendar: str) -> str:
    state = run["state"] if run else "absent"
    if state in ("failed", "held"):
        return "failed"
    if covers_all is not None:
        return "whole" if covers_all else "ats"
    if state in ("queued", "running"):
        return "waiting"
    return "not_due" if calendar == "not_due" else "missing"
