"""Show a venue: its names, weeks, largest symbols, and where it gained and lost most."""

from otcpipe import resources
from otcpipe.answers import arguments
from otcpipe.answers.venue_profile import identity
from otcpipe.answers.venue_profile import venue as find
from otcpipe.cli.captions import of_tier
from otcpipe.cli.console import print_table, say
from otcpipe.cli.form import Form
from otcpipe.cli.gained import GAINS, as_gains
from otcpipe.cli.output import print_csv, print_json
from otcpipe.cli.tables import Column, key
from otcpipe.cli.venues import rounded, tier_of
from otcpipe.metrics.gains import Venue
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted

WEEKS = {
    "week_ending": key("Week ending"),
    "rank": key("Rank"),
    "rank_change": Column("Rank ±"),
    "market_share_pct": key("Share %"),
    "share_change_1w_pts": Column("1 week, bp", 2),
    "share_change_4w_pts": Column("4 weeks, bp", 3),
    "share_change_13w_pts": Column("13 weeks, bp", 3),
    "total_volume": key("Volume"),
    "total_trades": Column("Trades", 2),
    "avg_trade_size": Column("Shares per trade"),
    "total_notional": Column("Notional $", 2),
    "average_price": Column("$ a share", 1),
    "symbol_count": Column("Symbols", 3),
}
SYMBOLS = {
    "symbol": key("Symbol"),
    "total_volume": key("Volume"),
    "of_venue_pct": Column("% of the venue"),
    "share_pct": key("Share of symbol %"),
    "rank": Column("Rank"),
    "share_change_1w_pts": Column("1 week, bp", 2),
    "share_change_13w_pts": Column("13 weeks, bp", 2),
    "total_trades": Column("Trades", 3),
    "avg_trade_size": Column("Shares per trade", 2),
}


def venue(
    text: str, week: str | None, count: int, tier: str | None, scope: str | None, limit: int, form: Form
) -> None:
    """Print `count` weeks of a venue up to `week`, by default its newest, and `limit` rows of each other table."""
    found = find(
        resources.database(),
        text,
        arguments.week(week),
        count,
        tier_of(tier),
        arguments.scope(scope) if scope else None,
        limit,
    )
    if form is Form.JSON:
        print_json([found])
    elif form is Form.CSV:
        print_csv(found["weeks"], WEEKS)
    else:
        _print(found)


def _print(found: Row) -> None:
    number = identity(Venue(found["mpid"], found["firm_crd"]))
    say(
        f"{number}, {found['venue_name']}: in weeks ending {found['first_week']} to {found['last_week']}.",
        *(f"Formerly {row['venue_name']}, to {row['last_week']}." for row in found["names"][1:]),
    )
    if not found["weeks"]:
        say(f"No week of scope {found['scope']} is stored of it for this week and tier.")
        return
    of_all = f"Scope {found['scope']}, {of_tier(found['tier'])}"
    say("", f"{of_all}, newest week first; changes of share in basis points (bp):")
    print_table(WEEKS, [rounded(row) for row in found["weeks"]])
    if found["symbols"]:
        say("", f"Its {counted(len(found['symbols']), 'largest symbol')} in the week ending {found['week_ending']}:")
        print_table(SYMBOLS, [rounded(row) for row in found["symbols"]])
    for direction in ("gained", "lost"):
        rows = [row for row in found["changes"] if row["direction"] == direction]
        if rows:
            say("", f"Where it {direction} most since the week ending {found['compared_week']}:")
            print_table(GAINS, [as_gains(row) for row in rows])
    say(ATTRIBUTION)
