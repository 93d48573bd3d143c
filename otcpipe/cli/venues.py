"""Rank the venues of a week."""

from otcpipe import resources, weeks
from otcpipe.cli import arguments
from otcpipe.cli.console import number, print_json, print_table, say, whole
from otcpipe.cli.top import partitions
from otcpipe.records import ATTRIBUTION

COLUMNS = {
    "rank": "rank",
    "rank_change": "±",
    "mpid": "MPID",
    "firm_crd": "CRD",
    "venue_name": "venue",
    "market_share_pct": "share %",
    "share_change_1w_pts": "1 week, points",
    "share_change_4w_pts": "4 weeks",
    "share_change_13w_pts": "13 weeks",
    "total_volume": "volume",
    "total_trades": "trades",
    "symbol_count": "symbols",
    "restated_records": "restated records",
    "restated_on": "last restated",
}
ALL_TIERS = "ALL_TIERS"


def venues(week: str | None, tier: str | None, scope: str, *, as_json: bool) -> None:
    """Print venues by share. Without `tier`: all tiers together if all three are loaded, else the first."""
    asked = {
        "week_ending": arguments.week(week),
        "tier": tier if tier in (None, ALL_TIERS) else weeks.parse_tier(tier),
        "scope": arguments.scope(scope),
    }
    with resources.database().transaction() as transaction:
        found = transaction.row("venue_week", **asked)
        rows = transaction.rows("venues", **(asked | found)) if found else []
        published = partitions(transaction, found["week_ending"]) if found else ""
    if as_json:
        print_json(rows)
    elif not rows:
        say(f"No venue shares of scope {scope} are stored for this week and tier.")
    else:
        say(
            published,
            f"Scope {scope}, {rows[0]['tier']}: shares of all volume, and their changes in percentage points.",
        )
        print_table(
            COLUMNS, [row | {"total_volume": whole(row["total_volume"]), "firm_crd": number(row)} for row in rows]
        )
        say(ATTRIBUTION)
