"""Which partitions are there: a map of half a year, and the week's own three."""

from datetime import date, datetime

from otcpipe import weeks
from otcpipe.datasets import TIERS
from otcpipe.metrics.definitions import WEEK
from otcpipe.storage.postgres import Row, Transaction

WEEKS, LATER = 26, 4  # on the map; of them after the report's own
WORDS = {
    "whole": "loaded, ATS and non-ATS",
    "ats": "loaded, ATS only",
    "waiting": "on its way",
    "failed": "failed, or held by its checks",
    "missing": "published, not loaded",
    "not_due": "not published yet",
}


def coverage(transaction: Transaction, states: list[Row], week: date, now: datetime) -> Row:
    """`map`: the tiers' marks by week, oldest first; `week`: one row a tier, with when it is or was published."""
    newest = max(week, weeks.newest_published(now, "T1"))
    last = min(newest, week + LATER * WEEK)
    dates = [last - number * WEEK for number in reversed(range(WEEKS))]
    loaded = transaction.rows("report_partitions", first=dates[0], last=last)
    covers = {(row["week_ending"], row["tier"]): row["covers_all"] for row in loaded}
    known = {(row["week_ending"], row["tier"]): row for row in states}
    marks = {
        tier: [
            _mark(known.get((day, tier)), covers.get((day, tier)), weeks.state_of(day, tier, now)) for day in dates
        ]
        for tier in TIERS
    }
    rows = [
        {
            "tier": tier,
            "mark": marks[tier][dates.index(week)],
            "published_on": weeks.published_on(week, tier),
            "run": known.get((week, tier)),
        }
        for tier in TIERS
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
