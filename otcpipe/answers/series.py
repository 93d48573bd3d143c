"""Series by week, as the charts of the pages need them: oldest first, None for a week without a value."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from otcpipe.metrics.definitions import WEEK
from otcpipe.storage.postgres import Database, Row

MOST_WEEKS = 1040


def of_symbol(found: Row, count: int) -> dict[str, object]:
    """Return the weeks with volume, ATS volume and concentration of the scope that is shown."""
    rows = {row["week_ending"]: row for row in found["history"] if row["scope"] == found["scope"]}
    ats = {row["week_ending"]: row for row in found["history"] if row["scope"] == "ATS"}
    dates = _dates(rows, found["week_ending"], count)
    return {
        "dates": dates,
        "volumes": _values(rows, dates, "volume"),
        "ats_volumes": _values(ats, dates, "volume"),
        "lows": _values(rows, dates, "hhi"),
        "highs": _values(rows, dates, "hhi_upper"),
        "shown": [row for row in found["history"] if row["scope"] == found["scope"]],
        "of_week": [row for row in found["history"] if row["week_ending"] == found["week_ending"]],
    }


def of_venue(rows: Sequence[Row]) -> dict[str, object]:
    """Return the weeks with the venue's share and volume."""
    by_week = {row["week_ending"]: row for row in rows}
    dates = _dates(by_week, rows[0]["week_ending"], MOST_WEEKS)
    shares, volumes = (_values(by_week, dates, name) for name in ("market_share_pct", "total_volume"))
    return {"dates": dates, "shares": shares, "volumes": volumes}


def of_shares(rows: Sequence[Row]) -> dict[str, object] | None:
    """Return the weeks, and for each venue that leads in the last of them its name and shares; None for one week."""
    dates = sorted({row["week_ending"] for row in rows})
    if len(dates) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    every = _dates(dates, dates[-1], MOST_WEEKS)
    names = {row["venue"]: row["venue_name"] for row in rows if row["week_ending"] == dates[-1]}
    shares = {(row["venue"], row["week_ending"]): row["market_share_pct"] for row in rows}
    lines = [
        {"venue": venue, "name": name, "values": [shares.get((venue, day)) for day in every]}
        for venue, name in names.items()
    ]
    return {"dates": every, "lines": lines}


def newest_week(database: Database) -> date | None:
    """Return the newest week with all tiers, else the newest; None if nothing is loaded."""
    with database.transaction() as transaction:
        found = transaction.row("report_week", week_ending=None)
    return found["week_ending"] if found else None


def _dates(known: Iterable[date], last: date, count: int) -> list[date]:
    first = max(min(known, default=last), last - (count - 1) * WEEK)
    return [first + number * WEEK for number in range((last - first).days // 7 + 1)]


def _values(rows: dict[date, Row], dates: list[date], name: str) -> list[Decimal | None]:
    return [rows[day][name] if day in rows else None for day in dates]
