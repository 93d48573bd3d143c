"""Rank the symbols of a week by volume, trades, change, concentration or ATS share."""

from otcpipe import resources
from otcpipe.answers import arguments, ranking
from otcpipe.cli.captions import partitions, trended, updated
from otcpipe.cli.console import interval, percent, print_table, say, say_all, whole
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.cli.unusual import unusual
from otcpipe.errors import Invalid
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Row
from otcpipe.text.choices import choose
from otcpipe.text.counting import counted

COLUMNS = {
    "symbol": key("Symbol"),
    "volume": key("Volume"),
    "trades": Column("Trades"),
    "volume_vs_avg_pct": Column("vs 6-week mean %"),
    "trend": Column("Trend", 2),
    "weeks_in_window": Column("Weeks in mean", 3),
    "ats_fraction": Column("ATS share %"),
    "hhi": Column("HHI", 0, is_number=True),
    "concentration_level": Column("DOJ 2010"),
    "published_on": Column("Published", 3),
    "updated_on": Column("Updated", 3),
    "issue_name": Column("Issue", 2, is_prose=True),
}


def top(
    week: str | None,
    by: str,
    tier: str | None,
    scope: str,
    limit: int,
    floor: int | None,
    floor_notional: int | None,
    as_of: str | None,
    form: Form,
    *,
    least_trades: int = 0,
) -> None:
    """Print the first symbols of a week. Any order but volume, trades and unusual ranks the thousand largest only.

    With `as_of`, all is as known then. Raises Invalid for a floor that does not go with the order.
    """
    at = arguments.moment(as_of)
    friday, scope = arguments.week(week), arguments.scope(scope)
    by, tier = choose(by, ranking.BY, "order"), arguments.tier(tier) if tier else None
    least = ranking.floors(by, at, floor, floor_notional)
    if by == ranking.UNUSUAL:
        if least_trades:
            raise Invalid("--min-trades does not go with the order unusual, which has --floor.")
        unusual(friday, tier, scope, limit, least, form)
        return
    with resources.database().transaction() as transaction:
        rows = ranking.top(transaction, friday, by, tier, scope, limit, at, least_trades)
        published = partitions(transaction, rows[0]["week_ending"], at) if rows else ""
    if write(form, rows, COLUMNS):
        return
    if not rows:
        what = "symbol has so many trades in scope" if least_trades else "metrics are stored of scope"
        say(f"No {what} {scope}.")
        return
    among = "" if by in ranking.QUANTITIES else f" among the {ranking.among(by, limit):,} largest"
    if least_trades:
        among += f"{' of those' if among else ', of those'} with {least_trades:,} trades or more"
    say(published)
    say(f"Scope {scope}, {tier or 'all tiers'}: the first {counted(len(rows), 'symbol')} by {by}{among}.")
    if tier:
        say(f"Volume and ATS share are of {tier}; mean, trend, HHI and band are of all tiers together.")
    of_tier = {"volume": key(f"Volume, {tier}"), "ats_fraction": Column(f"ATS share %, {tier}")}
    print_table(COLUMNS | of_tier if tier else COLUMNS, [_shown(row) for row in rows])
    say_all([updated(rows), ATTRIBUTION])


def _shown(row: Row) -> Row:
    values = {"volume": whole(row["volume"]), "ats_fraction": percent(row["ats_fraction"])}
    return trended(row) | values | {"hhi": interval(row["hhi"], row["hhi_upper"])}
