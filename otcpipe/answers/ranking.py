"""The symbols and the venues of a week, in order."""

from datetime import date, datetime

from otcpipe.answers.moments import new_york
from otcpipe.datasets import ALL_TIERS
from otcpipe.errors import Invalid
from otcpipe.metrics import loaded
from otcpipe.storage.postgres import Row, Transaction

UNUSUAL, METRIC = "unusual", "symbol_unusual"
BY = ("volume", "trades", "change", "hhi", "ats-fraction", UNUSUAL)
QUANTITIES = ("volume", "trades")
FLOOR = 10_000  # shares a trading day: of what is traded less, every other week is unusual
AMONG = 1000  # symbols that are hardly traded are always extreme


def top(
    transaction: Transaction,
    week: date | None,
    by: str,
    tier: str | None,
    scope: str,
    limit: int,
    at: datetime | None = None,
    least_trades: int = 0,
) -> list[Row]:
    """Return the first symbols of a week, by default the newest, without those with fewer than `least_trades`.

    Any order but volume and trades ranks the largest only. With `at`, all is as known then. Raises Invalid for a week
    that is not loaded, or has no metrics of the scope.
    """
    asked: Row = {"week_ending": week, "by": by, "tier": tier, "scope": scope, "limit": limit}
    asked |= {"among": among(by, limit), "least_trades": least_trades}
    if at:
        asked["week_ending"] = week or transaction.rows("newest_week_as_of", tier=tier, at=at)[0]["week_ending"]
        transaction.rows("plan_for_a_week")
        known = transaction.rows("top_symbols_as_of", **asked, at=at)
        return known if least_trades else _known(known, week, at)
    found = transaction.rows("top_symbols", **asked)
    if week and not found:
        loaded.require(transaction, week, tier)
    if week and not found and not least_trades:
        why = f"`otcpipe coverage --from {week} --to {week}` says why"
        raise Invalid(f"The week ending {week} has no metrics of scope {scope}: {why}.")
    return found


def floors(by: str, at: datetime | None, shares: int | None, dollars: int | None) -> Row:
    """Return the floors of the ranking of unusual symbols; raises Invalid for what does not go with the order."""
    if by == UNUSUAL and at:
        raise Invalid("A past moment does not go with the order unusual: read otc.symbol_unusual_as_of.")
    if by != UNUSUAL and (shares is not None or dollars is not None):
        raise Invalid("A floor goes with the order unusual only.")
    return {"floor": FLOOR if shares is None else shares, "floor_notional": dollars}


def unusual(transaction: Transaction, week: date | None, tier: str | None, scope: str, limit: int, least: Row) -> Row:
    """Return a week's symbols that are farthest from their own past, of those above the floors `least`.

    `rows` has them, `week_ending` their week, by default the newest; `is_incomplete` says that it is still to be
    completed. Raises Invalid for a week that is not loaded.
    """
    friday = summarized(transaction, week, tier, scope)
    asked = {"week_ending": friday, "tier": tier, "scope": scope, "limit": limit}
    rows = transaction.rows("top_unusual", **asked, **least) if friday else []
    is_early = is_incomplete(transaction, METRIC, friday) if friday else False
    return {"week_ending": friday, "rows": rows, "is_incomplete": is_early}


def floor_sentence(least: Row) -> str:
    """Return what the symbols of the ranking trade at least."""
    shares = f"a median of {least['floor']:,} shares a trading day or more"
    dollars = least["floor_notional"]
    return shares if dollars is None else f"{shares} and ${dollars:,} a trading day or more"


def summarized(transaction: Transaction, week: date | None, tier: str | None, scope: str) -> date | None:
    """Return the week, by default the newest with sums of the scope, if any. Raises Invalid for one not loaded."""
    if week:
        loaded.require(transaction, week, tier)
        return week
    found: date | None = transaction.rows("newest_summarized", tier=tier, scope=scope)[0]["week_ending"]
    return found


def is_incomplete(transaction: Transaction, metric: str, week: date) -> bool:
    """Return whether a deferred metric of a week is still to be computed."""
    return metric in {row["metric"] for row in transaction.rows("incomplete_metrics", first=week, last=week)}


def among(by: str, limit: int) -> int:
    """Return how many of the largest symbols are ranked."""
    return limit if by in QUANTITIES else max(limit, AMONG)


def venues(
    transaction: Transaction, week: date | None, tier: str | None, scope: str, at: datetime | None = None
) -> list[Row]:
    """Return a week's venues by share; without `tier` of all tiers together if all are loaded, else of the first.

    With `at`, all is as known then. Raises Invalid for a week or a tier that is not loaded, or has no shares of the
    scope.
    """
    asked: Row = {"week_ending": week, "tier": tier, "scope": scope}
    if at:
        place = transaction.row("venue_week_as_of", **asked, at=at)
        return _known(_venues_as_of(transaction, asked | place, at) if place else [], week, at)
    found = transaction.row("venue_week", **asked)
    if week and not found:
        loaded.require(transaction, week, None if tier == ALL_TIERS else tier)
        of_tier = f" and tier {tier}" if tier else ""
        raise Invalid(f"The week ending {week} has no venue shares of scope {scope}{of_tier}.")
    return transaction.rows("venues", **(asked | found)) if found else []


def _venues_as_of(transaction: Transaction, place: Row, at: datetime) -> list[Row]:
    is_built = transaction.rows("has_history", week_ending=place["week_ending"])[0]["is_built"]
    transaction.rows("plan_for_a_week")
    return transaction.rows("venues_as_of", **place, at=at, is_built=is_built)


def _known(rows: list[Row], week: date | None, at: datetime) -> list[Row]:
    """Return the rows; raises Invalid if there are none, so that nothing was known."""
    if not rows:
        which = f"the week ending {week}" if week else "any week"
        raise Invalid(f"Nothing that was asked for of {which} was known on {new_york(at)}.")
    return rows
