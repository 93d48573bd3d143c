"""The symbols and the venues of a week, in order."""

from datetime import date, datetime

from otcpipe.answers.moments import new_york
from otcpipe.datasets import ALL_TIERS
from otcpipe.errors import Invalid
from otcpipe.metrics import loaded
from otcpipe.storage.postgres import Row, Transaction

UNUSUAL = "unusual"
BY = ("volume", "change", "hhi", "ats-fraction", UNUSUAL)
AMONG = 1000  # symbols that are hardly traded are always extreme


def top(
    transaction: Transaction,
    week: date | None,
    by: str,
    tier: str | None,
    scope: str,
    limit: int,
    at: datetime | None = None,
) -> list[Row]:
    """Return the first symbols of a week, by default the newest; any order but volume ranks the largest only.

    With `at`, all is as known then. Raises Invalid for a week that is not loaded, or has no metrics of the scope.
    """
    asked: Row = {"week_ending": week, "by": by, "tier": tier, "scope": scope, "limit": limit}
    asked["among"] = among(by, limit)
    if at:
        asked["week_ending"] = week or transaction.rows("newest_week_as_of", tier=tier, at=at)[0]["week_ending"]
        transaction.rows("plan_for_a_week")
        return _known(transaction.rows("top_symbols_as_of", **asked, at=at), week, at)
    found = transaction.rows("top_symbols", **asked)
    if week and not found:
        loaded.require(transaction, week, tier)
        raise Invalid(f"The week ending {week} has no metrics of scope {scope}.")
    return found


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
    return limit if by == "volume" else max(limit, AMONG)


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
