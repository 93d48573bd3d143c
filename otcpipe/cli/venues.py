"""Rank the venues of a week."""

from otcpipe import resources, weeks
from otcpipe.answers import arguments, ranking
from otcpipe.cli.captions import of_tier, partitions, updated
from otcpipe.cli.console import limited, number, print_table, say, say_all, two_decimals, whole
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.datasets import ALL_TIERS
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Row

COLUMNS = {
    "rank": key("Rank"),
    "rank_change": Column("Rank ±"),
    "mpid": key("MPID"),
    "firm_crd": Column("CRD", 2),
    "venue_name": Column("Venue", is_prose=True),
    "market_share_pct": key("Share %"),
    "share_change_1w_pts": Column("1 week, bp", 2),
    "share_change_4w_pts": Column("4 weeks, bp", 3),
    "share_change_13w_pts": Column("13 weeks, bp", 3),
    "total_volume": key("Volume"),
    "total_trades": Column("Trades", 2),
    "avg_trade_size": Column("Shares per trade", 3),
    "total_notional": Column("Notional $", 4),
    "symbol_count": Column("Symbols", 3),
    "updated_records": Column("Updated records", 4),
    "updated_on": Column("Last updated", 4),
}
WHOLES, ROUNDED = ("total_volume", "total_notional"), ("market_share_pct", "avg_trade_size", "average_price")
CHANGES = ("share_change_1w_pts", "share_change_4w_pts", "share_change_13w_pts")


def venues(week: str | None, tier: str | None, scope: str, limit: int | None, as_of: str | None, form: Form) -> None:
    """Print venues by share. Without `tier`: all tiers together if all three are loaded, else the first.

    With `as_of`, all is as known then.
    """
    at = arguments.moment(as_of)
    friday, scope = arguments.week(week), arguments.scope(scope)
    chosen = tier_of(tier)
    with resources.database().transaction() as transaction:
        every = ranking.venues(transaction, friday, chosen, scope, at)
        published = partitions(transaction, every[0]["week_ending"], at) if every else ""
    rows, left_out = limited(every, limit)
    if write(form, rows, COLUMNS):
        return
    if not rows:
        say(f"No venue shares of scope {scope}{f' and tier {chosen}' if chosen else ''} are stored.")
        return
    of_all = f"Scope {rows[0]['scope']}, {of_tier(rows[0]['tier'])}"
    say(published, f"{of_all}: shares of volume, and their changes in basis points (bp).")
    print_table(COLUMNS, [rounded(row) | {"firm_crd": number(row)} for row in rows])
    say_all([left_out, updated(rows), ATTRIBUTION])


def tier_of(text: str | None) -> str | None:
    """Return the tier that a text is, or ALL_TIERS; raises Invalid."""
    return weeks.parse_tier(text, ALL_TIERS) if text else None


def rounded(row: Row) -> Row:
    """Return the row for the terminal: whole shares and dollars, shares of volume and averages with two decimals.

    Changes of share are in basis points, hundredths of a percentage point, of which no digit is lost.
    """
    wholes = {name: whole(row[name]) for name in WHOLES if row.get(name) is not None}
    points = {name: 100 * row[name] for name in CHANGES if row.get(name) is not None}
    shown = row | wholes | points
    return shown | {name: two_decimals(shown[name]) for name in (*ROUNDED, *points) if name in row}
