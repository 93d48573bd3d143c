"""Who gained where: venues, symbols, a map of both, and who came and left."""

from datetime import date

from otcpipe.metrics import gains
from otcpipe.metrics.definitions import WEEK
from otcpipe.metrics.gains import Market
from otcpipe.storage.postgres import Row, Transaction

FEW, VENUES, SYMBOLS = 5, 12, 15  # rows of the lists; columns and rows of the map
TIMELINE_WEEKS = 26
SHADES = 5  # of the map
EVENTS = {"is_entry": "first_week", "is_renamed": "renamed_week", "is_exit": "last_week"}


def gained(transaction: Transaction, week: date, tier: str, largest: list[str]) -> Row:
    """Return the ATSs and symbols that changed most since the week before, the map, and entries, exits and names."""
    compared = gains.compare_weeks(transaction, Market(tier, "ATS"), week)
    venues = gains.by_venue(transaction, compared) if compared.is_possible else []
    values = {"later": week, "earlier": week - WEEK, "tier": tier, "symbols": largest, "limit": FEW}
    where = transaction.rows("gains_of_venues", **values) if compared.is_possible else []
    return {
        "is_compared": compared.is_possible,
        "venues": [row for row in venues if row["share_change_pts"] > 0][:FEW],
        "losers": [row for row in reversed(venues) if row["share_change_pts"] < 0][:FEW],
        "gains": [row for row in where if row["gained"] > 0],
        "losses": [row for row in reversed(where) if row["gained"] < 0],
        "heat": _heat(transaction, week, tier, largest[:SYMBOLS]),
        "events": _events(transaction, week),
        "market": transaction.row("market_of_week", week_ending=week),
    }


def _heat(transaction: Transaction, week: date, tier: str, symbols: list[str]) -> Row:
    """Return `venues`, the largest ATSs, and `rows`: each symbol's shares of them, with a shade from 0 to 5."""
    board = transaction.rows("report_venues", week_ending=week, tier=tier, scope="ATS", limit=VENUES)
    venues = [row["number"] for row in board]
    rows = transaction.rows("venue_heat", week_ending=week, symbols=symbols)
    shares = {(row["symbol"], row["mpid"]): row["share_pct"] for row in rows}
    most = max(shares.values(), default=0) or 1
    cells = {
        symbol: [
            (share, int(SHADES * share / most) if share else 0)
            for share in (shares.get((symbol, one)) for one in venues)
        ]
        for symbol in symbols
        if any((symbol, one) in shares for one in venues)
    }
    return {"venues": venues, "rows": cells}


def _events(transaction: Transaction, week: date) -> list[Row]:
    """Return who came, was renamed or left in half a year, newest first."""
    found = []
    for row in transaction.rows("venue_timeline", scope="ATS"):
        row["is_renamed"] = row["former_names"] is not None
        found += [
            row | {"event": event.removeprefix("is_"), "week": row[day]}
            for event, day in EVENTS.items()
            if row[event]
        ]
    recent = [row for row in found if week - TIMELINE_WEEKS * WEEK < row["week"] <= week]
    return sorted(recent, key=lambda row: (-row["week"].toordinal(), row["mpid"] or ""))
