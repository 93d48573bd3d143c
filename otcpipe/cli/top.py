"""Rank the symbols of a week by volume, change, concentration or ATS share."""

from datetime import date

from otcpipe import resources, weeks
from otcpipe.cli import arguments
from otcpipe.cli.console import interval, print_json, print_table, say, whole
from otcpipe.datasets import TIERS
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Row, Transaction

BY = ("volume", "change", "hhi", "ats-fraction")
AMONG = 1000  # symbols that are hardly traded are always extreme
COLUMNS = {
    "symbol": "symbol",
    "volume": "volume",
    "volume_vs_avg_pct": "vs 6-week mean %",
    "trend": "trend",
    "weeks_in_window": "weeks",
    "ats_fraction": "ATS fraction",
    "hhi": "HHI",
    "concentration_level": "DOJ 2010",
    "published_on": "published",
    "restated_on": "restated",
    "issue_name": "issue",
}


def top(week: str | None, by: str, tier: str | None, scope: str, limit: int, *, as_json: bool) -> None:
    """Print the first symbols of a week. Any order but volume ranks the thousand largest only."""
    asked = {
        "week_ending": arguments.week(week),
        "by": arguments.choice(by, BY, "order"),
        "tier": weeks.parse_tier(tier) if tier else None,
        "scope": arguments.scope(scope),
        "limit": limit,
        "among": limit if by == "volume" else max(limit, AMONG),
    }
    with resources.database().transaction() as transaction:
        rows = transaction.rows("top_symbols", **asked)
        published = partitions(transaction, rows[0]["week_ending"]) if rows else ""
    if as_json:
        print_json(rows)
    elif not rows:
        say(f"No metrics of scope {scope} are stored{f' for {week}' if week else ''}.")
    else:
        among = "" if by == "volume" else f" among the {asked['among']:,} largest"
        say(
            published, f"Scope {scope}, {asked['tier'] or 'all tiers'}: the first {len(rows)} symbols by {by}{among}."
        )
        print_table(COLUMNS, [_shown(row) for row in rows])
        say(ATTRIBUTION)


def _shown(row: Row) -> Row:
    return row | {"volume": whole(row["volume"]), "hhi": interval(row["hhi"], row["hhi_upper"])}


def partitions(transaction: Transaction, week: date) -> str:
    """Return a sentence: when each tier of the week was published, and whether it is loaded."""
    rows = {row["tier"]: row for row in transaction.rows("week_partitions", week_ending=week)}
    return f"Week ending {week}: {', '.join(_partition(tier, rows.get(tier)) for tier in TIERS)}."


def _partition(tier: str, row: Row | None) -> str:
    if row is None:
        return f"{tier} is not loaded"
    return f"{tier} published {row['published_on']}{'' if row['covers_all'] else ' (ATS only)'}"
