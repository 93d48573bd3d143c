"""Read what the page shows, from one snapshot of the database."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any

from otcpipe.datasets import TIERS
from otcpipe.metrics import definitions, loaded
from otcpipe.pipeline import ledger
from otcpipe.report import coverage, gained, totals
from otcpipe.storage import sql
from otcpipe.storage.postgres import Database, Row, Transaction

LIQUID_TRADES = 1000  # a week: FINRA names a firm from 200 trades a day
LIQUID_SHARES = 10_000  # a trading day, in the median of 13 weeks
LIQUID_WEEKS = 4  # of six must have records, for a meaningful mean
HISTORY_WEEKS = 13
FEW, MORE, MOST = 10, 15, 100  # rows of the lists
ALL_TIERS = "ALL_TIERS"
UNUSUAL = "symbol_unusual"


def gather(database: Database, asked: date | None, now: datetime, wanted: Collection[str]) -> dict[str, Any] | None:
    """Return the variables of the page for a week; None if nothing counts. Raises Invalid if it is not loaded."""
    states = ledger.partitions(database, None)
    with database.transaction() as transaction:
        transaction.script(sql.statements()["begin_report"])
        found = transaction.row("report_week", week_ending=asked)
        if asked and not found:
            loaded.require(transaction, asked)
        return _week(transaction, found["week_ending"], states, now, wanted) if found else None


def week_of(database: Database, asked: date | None) -> date | None:
    """Return the week that the page is of, by default the newest with all tiers; None if nothing counts."""
    with database.transaction() as transaction:
        found = transaction.row("report_week", week_ending=asked)
        week: date | None = found["week_ending"] if found else None
        return week


def _week(
    transaction: Transaction, week: date, states: list[Row], now: datetime, wanted: Collection[str]
) -> dict[str, Any]:
    first = week - (HISTORY_WEEKS - 1) * definitions.WEEK
    weeks = {row["week_ending"]: row for row in transaction.rows("report_weeks", first=first, last=week)}
    tiers, scope = weeks[week]["tiers"], "ALL" if weeks[week]["covers_all"] else "ATS"
    asked = {"week_ending": week, "scope": scope}
    liquid = asked | {"liquid_trades": LIQUID_TRADES, "limit": FEW}
    sums = totals.Totals(transaction.rows("report_totals", first=first, last=week), week, tiers, scope)
    largest = transaction.rows("report_largest", **asked, limit=MOST)
    moves = transaction.rows("report_moves", **liquid, liquid_weeks=LIQUID_WEEKS)
    concentration = transaction.rows("report_concentration", **liquid)
    unusual = transaction.rows(
        "top_unusual", **asked, tier=None, floor=LIQUID_SHARES, floor_notional=None, limit=MORE
    )
    symbols = sorted({row["symbol"] for row in [*largest, *moves, *concentration, *unusual]})
    return {
        "week": week,
        "monday": week - timedelta(days=4),
        "scope": scope,
        "tiers": [tier for tier in TIERS if tier in tiers],
        "tier_names": TIERS,
        "liquid_trades": LIQUID_TRADES,
        "liquid_weeks": LIQUID_WEEKS,
        "liquid_shares": LIQUID_SHARES,
        "unusual": unusual,
        "is_unusual_incomplete": UNUSUAL
        in {row["metric"] for row in transaction.rows("incomplete_metrics", first=week, last=week)},
        "sums": sums,
        "symbol_count": transaction.rows("report_symbol_count", **asked)[0]["symbols"],
        "coverage": coverage.coverage(transaction, states, week, now, wanted),
        "boards": [
            board for kind in dict.fromkeys(("ATS", scope)) for board in _boards(transaction, week, tiers, kind)
        ],
        "gained": gained.gained(
            transaction, week, ALL_TIERS if len(tiers) == len(TIERS) else tiers[0], [row["symbol"] for row in largest]
        ),
        "rising": [row for row in moves if row["change"] > 0],
        "falling": [row for row in reversed(moves) if row["change"] < 0],
        "concentrated": [row for row in concentration if row["from_top"] <= FEW],
        "spread": sorted(
            (row for row in concentration if row["from_bottom"] <= FEW), key=lambda row: int(row["from_bottom"])
        ),
        "levels": {
            row["level"]: row["symbols"] for row in transaction.rows("report_levels", **_without(liquid, "limit"))
        },
        "restated": _restated(transaction, week),
        "largest": largest,
        "history_weeks": (dates := [first + number * definitions.WEEK for number in range(HISTORY_WEEKS)]),
        "histories": _histories(transaction, dates, symbols, scope),
        "names": {
            row["symbol"]: row["issue_name"]
            for row in transaction.rows("report_names", week_ending=week, symbols=symbols)
        },
    }


def _without(values: Row, name: str) -> Row:
    return {other: value for other, value in values.items() if other != name}


def _boards(transaction: Transaction, week: date, tiers: list[str], scope: str) -> list[Row]:
    """Return the leading venues: of all tiers together if all are loaded, else of each tier."""
    found = []
    for tier in [ALL_TIERS] if len(tiers) == len(TIERS) else tiers:
        place = {"week_ending": week, "tier": tier, "scope": scope}
        venues = transaction.rows("report_venues", **place, limit=MORE)
        is_compared = transaction.rows("report_compared", **place)[0]["is_compared"]
        found.append({"tier": tier, "scope": scope, "venues": venues, "is_compared": is_compared})
    return found


def _restated(transaction: Transaction, week: date) -> Row:
    """Count the records that changed or were relabelled since the first capture; list the largest changes."""
    found = transaction.rows("revisions", week_ending=week, symbol=None, first=None, last=None)
    changes = [row for row in found if row["change"] != "relabelled"]
    for row in changes:
        row["difference"] = (row["share_volume_after"] or 0) - (row["share_volume_before"] or 0)
    return {
        "count": len(changes),
        "relabelled": len(found) - len(changes),
        "kinds": {kind: sum(row["change"] == kind for row in changes) for kind in ("changed", "added", "withdrawn")},
        "largest": sorted(changes, key=lambda row: -abs(row["difference"]))[:FEW],
        "unknown": transaction.rows("report_unknown", week_ending=week)[0]["records"],
    }


def _histories(transaction: Transaction, weeks: list[date], symbols: list[str], scope: str) -> dict[str, list[Any]]:
    """Return the shares of each symbol by week, None for a week without any."""
    rows = transaction.rows("report_histories", weeks=weeks, symbols=symbols, scope=scope)
    volumes = {(row["symbol"], row["week_ending"]): row["volume"] for row in rows}
    return {symbol: [volumes.get((symbol, week)) for week in weeks] for symbol in symbols}
