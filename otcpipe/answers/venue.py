"""A venue through the weeks, and the leading venues of a week or of several."""

from datetime import date, datetime

from otcpipe.answers import ranking
from otcpipe.answers.venue_profile import find, identity
from otcpipe.datasets import ALL_TIERS, SCOPES, TIERS
from otcpipe.errors import Invalid
from otcpipe.metrics.definitions import WEEK
from otcpipe.metrics.gains import Venue
from otcpipe.storage.postgres import Database, Row


def league(database: Database, week: date | None, tier: str | None, scope: str, at: datetime | None) -> list[Row]:
    """Return the venues of a week by share, with `at` as known then.

    By default of the newest week, and of all tiers together if all three are loaded, else of the first.
    """
    with database.transaction() as transaction:
        return ranking.venues(transaction, week, tier, scope, at)


def venue(database: Database, name: str, tier: str, scope: str, last: date | None, count: int) -> list[Row]:
    """Return the weeks of a venue, newest first. A venue is an MPID, `CRD` and a number, or a name."""
    with database.transaction() as transaction:
        return transaction.rows("venue_weeks", venue=name, tier=tier, scope=scope, last=last, limit=count)


def weeks_of(database: Database, name: str, tier: str, scope: str, last: date | None, count: int) -> list[Row]:
    """Return the weeks of a venue as `venue` does, or by a part of its name; raises Invalid if there are none."""
    rows = venue(database, name, tier, scope, last, count)
    if rows:
        return rows
    _, used = first_with_weeks(database, name, tier, scope, 1)
    if used["name"] != name:
        return weeks_of(database, used["name"], tier, scope, last, count)
    until = f" up to the one ending {last}" if last else ""
    is_other = (used["tier"], used["scope"]) != (tier, scope)
    other = f": it has some of tier {used['tier']}, {used['scope']}" if is_other else ""
    raise Invalid(f"{name!r} has no weeks of tier {tier} and scope {scope}{until}{other}.")


def first_with_weeks(database: Database, name: str, tier: str, scope: str, count: int) -> tuple[list[Row], Row]:
    """Return the newest weeks of a venue, and its name, tier and scope: those asked for, else others that have weeks.

    Raises Invalid, which names similar venues, if none have.
    """
    others = [(one_tier, one_scope) for one_tier in (ALL_TIERS, *TIERS) for one_scope in SCOPES]
    for one_tier, one_scope in [(tier, scope), *others]:
        rows = venue(database, name, one_tier, one_scope, None, count)
        if rows:
            return rows, {"name": name, "tier": one_tier, "scope": one_scope}
    with database.transaction() as transaction:
        found = find(transaction, name)[0]
    stored = identity(Venue(found["mpid"], found["firm_crd"]))
    if stored == name:
        raise Invalid(f"{name!r} has no weeks.")
    return first_with_weeks(database, stored, tier, scope, count)


def symbols(database: Database, name: str, week: date, limit: int) -> list[Row]:
    """Return the largest symbols of a venue in a week, all tiers together."""
    with database.transaction() as transaction:
        return transaction.rows("venue_symbols", venue=name, week_ending=week, limit=limit)


def shares_by_week(database: Database, last: date, tier: str, scope: str, ranks: int, count: int) -> list[Row]:
    """Return the shares of the leading venues in `count` weeks up to `last`, oldest first."""
    weeks = [last - number * WEEK for number in range(count)]
    with database.transaction() as transaction:
        return transaction.rows("league_weeks", weeks=weeks, last=last, tier=tier, scope=scope, ranks=ranks)
