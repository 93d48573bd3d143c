"""A venue: its names, its weeks, its largest symbols, and where it gained and lost most."""

from dataclasses import asdict
from datetime import date
from difflib import get_close_matches

from otcpipe.errors import Invalid
from otcpipe.metrics import gains
from otcpipe.metrics.definitions import WEEK
from otcpipe.metrics.gains import Comparison, Market, Venue
from otcpipe.storage.postgres import Database, Row, Transaction

COMPARED_WEEKS = 13  # back; where that week is not loaded, the week before is compared
CRD_DIGITS = 9  # at most, as in the feed
MOST_NAMED = 12  # venues in a sentence


def venue(
    database: Database, text: str, week: date | None, count: int, tier: str | None, scope: str | None, limit: int
) -> Row:
    """Return a venue by its MPID or CRD number: `count` weeks up to `week`, by default its newest.

    `weeks` has a row for each week, `symbols` the `limit` that it traded most in the last of them, `changes` those in
    which it gained and lost most since the week `compared_week`. The default `tier` is all tiers together if all are
    loaded; the default `scope` is the venue's own. Raises Invalid if no such venue is stored.
    """
    with database.transaction() as transaction:
        names = find(transaction, text)
        one = Venue(names[0]["mpid"], names[0]["firm_crd"])
        scope = scope or own_scope(one)
        own = {"week_ending": week, "tier": tier, "scope": scope, **asdict(one)}
        last = transaction.row("venue_newest", **own)
        found = {
            **asdict(one),
            "venue_name": names[0]["venue_name"],
            "names": [{name: row[name] for name in ("venue_name", "first_week", "last_week")} for row in names],
            "first_week": min(row["first_week"] for row in names),
            "last_week": max(row["last_week"] for row in names),
            "scope": scope,
        }
        return found | _weeks(transaction, one, own | (last or {}), count, limit, is_known=last is not None)


def _weeks(transaction: Transaction, one: Venue, own: Row, count: int, limit: int, *, is_known: bool) -> Row:
    """Return what is known of the venue up to a week; nothing if it has no week."""
    if not is_known:
        return {
            "week_ending": None,
            "tier": own["tier"],
            "weeks": [],
            "symbols": [],
            "compared_week": None,
            "changes": [],
        }
    week, market = own["week_ending"], Market(own["tier"], own["scope"])
    compared = _comparison(transaction, market, week)
    return {
        "week_ending": week,
        "tier": market.tier,
        "weeks": transaction.rows("profile_weeks", **own, first=week - (count - 1) * WEEK),
        "symbols": transaction.rows("profile_symbols", **own, limit=limit),
        "compared_week": compared.earlier[0] if compared.is_possible else None,
        "changes": gains.by_symbol(transaction, compared, one, limit) if compared.is_possible else [],
    }


def _comparison(transaction: Transaction, market: Market, week: date) -> Comparison:
    compared = gains.compare_weeks(transaction, market, week, COMPARED_WEEKS)
    return compared if compared.is_possible else gains.compare_weeks(transaction, market, week, 1)


def own_scope(one: Venue) -> str:
    """Return the scope in which the venue trades."""
    return "ATS" if one.mpid else "NON_ATS"


def find(transaction: Transaction, text: str) -> list[Row]:
    """Return the names of a venue, newest first, by its MPID, CRD number, or a part of a name that no other has.

    Raises Invalid, which names similar venues, if none is stored.
    """
    names = _named(transaction, text)
    if names:
        return names
    rows = transaction.rows("venue_names")
    within = {row["venue"]: row for row in rows if text.upper() in (row["venue_name"] or "").upper()}
    if len(within) == 1:
        return _named(transaction, next(iter(within)))
    if within:
        raise Invalid(f"{len(within):,} venues have {text!r} in their names: {_listed(list(within.values()))}.")
    similar = get_close_matches(text.upper(), [row["venue"] for row in rows], n=1)
    near = _listed([row for row in rows if row["venue"] in similar][:1])
    hint = f": did you mean {near}?" if near else "; `otcpipe venues --scope all` lists those of the newest week."
    raise Invalid(f"No venue {text!r} is stored{hint}")


def _listed(rows: list[Row]) -> str:
    more = f" and {len(rows) - MOST_NAMED:,} more" if len(rows) > MOST_NAMED else ""
    return ", ".join(f"{row['venue']} ({row['venue_name']})" for row in rows[:MOST_NAMED]) + more


def identity(one: Venue) -> str:
    """Return what identifies a venue in texts: its MPID, or `CRD` and its number."""
    return one.mpid or f"CRD {one.firm_crd}"


def _named(transaction: Transaction, text: str) -> list[Row]:
    digits = text.upper().removeprefix("CRD ").strip()
    is_number = digits.isascii() and digits.isdigit()
    number = int(digits) if is_number and len(digits) <= CRD_DIGITS else None
    return transaction.rows("find_venue", mpid=None if is_number else text, firm_crd=number)
