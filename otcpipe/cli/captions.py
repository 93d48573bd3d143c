"""What several tables say around their numbers: when tiers were published, what was updated, and what is no trend."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import groupby

from otcpipe.answers.moments import new_york
from otcpipe.datasets import ALL_TIERS, TIERS
from otcpipe.storage.postgres import Row, Transaction

FEWEST_WEEKS = 2  # in a mean: a week is always equal to its own
NO_TREND = "too few weeks"


def partitions(transaction: Transaction, week: date, at: datetime | None = None) -> str:
    """Return a sentence: when the tiers of the week were published, and which are not loaded; or were not at `at`."""
    statement, values = ("week_partitions_as_of", {"at": at}) if at else ("week_partitions", {})
    known = {row["tier"]: _published(row) for row in transaction.rows(statement, week_ending=week, **values)}
    published = [f"{_both(group)} {when}" for when, group in groupby(filter(known.get, TIERS), key=known.__getitem__)]
    missing = [tier for tier in TIERS if tier not in known]
    lacks = f"; {_both(missing)} {'is' if len(missing) == 1 else 'are'} not loaded" if missing else ""
    as_known = f" As known on {new_york(at)}." if at else ""
    return f"Week ending {week}, published: {', '.join(published)}{lacks}.{as_known}"


def of_tier(tier: str) -> str:
    """Return how a heading names a tier, or all of them."""
    return "all tiers" if tier == ALL_TIERS else tier


def _published(row: Row) -> str:
    return f"{row['published_on']}{'' if row['covers_all'] else ' (ATS only)'}"


def _both(tiers: Iterable[str]) -> str:
    return " and ".join(tiers)


def updated(rows: Sequence[Row]) -> str | None:
    """Return what "Updated" means, if FINRA updated any of the rows after their publication."""
    if not any(row["updated_on"] for row in rows):
        return None
    return "Updated: FINRA's own date of a change after publication. `otcpipe revisions` lists what changed."


def trended(row: Row) -> Row:
    """Return the row for people: without change and trend where the mean is of one week only, its own."""
    weeks = row["weeks_in_window"]
    is_alone = weeks is not None and weeks < FEWEST_WEEKS
    return row | {"volume_vs_avg_pct": None, "trend": NO_TREND} if is_alone else row
