"""The symbols and the venues of a week, in order."""

from datetime import date

from otcpipe.datasets import ALL_TIERS
from otcpipe.errors import Invalid
from otcpipe.metrics import loaded
from otcpipe.storage.postgres import Row, Transaction

UNUSUAL = "unusual"
BY = ("volume", "change", "hhi", "ats-fraction", UNUSUAL)
AMONG = 1000  # symbols that are hardly traded are always extreme


def top(transaction: Transaction, week: date | None, by: str, tier: str | None, scope: str, limit: int) -> list[Row]:
    """Return the first symbols of a week, by default the newest; any order but volume ranks the largest only.

    Raises Invalid for a week that is not loaded, or has no metrics of the scope.
    """
    found = transaction.rows(
        "top_symbols", week_ending=week, by=by, tier=tier, scope=scope, limit=limit, among=among(by, limit)
    )
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


def venues(transaction: Transaction, week: date | None, tier: str | None, scope: str) -> list[Row]:
    """Return a week's venues by share; without `tier` of all tiers together if all are loaded, else of the first.

    Raises Invalid for a week or a tier that is not loaded, or has no shares of the scope.
    """
    asked: Row = {"week_ending": week, "tier": tier, "scope": scope}
    found = transaction.row("venue_week", **asked)
    if week and not found:
        loaded.require(transaction, week, None if tier == ALL_TIERS else tier)
        of_tier = f" and tier {tier}" if tier else ""
        raise Invalid(f"The week ending {week} has no venue shares of scope {scope}{of_tier}.")
    return transaction.rows("venues", **(asked | found)) if found else []
