"""Rank the symbols of a week by volume, change, concentration or ATS share."""

from datetime import date

from otcpipe import resources
from otcpipe.answers import arguments, ranking
from otcpipe.cli.console import interval, percent, print_table, say, whole
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.datasets import TIERS
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Row, Transaction
from otcpipe.text.counting import counted

COLUMNS = {
    "symbol": key("Symbol"),
    "volume": key("Volume"),
    "volume_vs_avg_pct": Column("vs 6-week mean %"),
    "trend": Column("Trend", 2),
    "weeks_in_window": Column("Weeks in mean", 3),
    "ats_fraction": Column("ATS share %"),
    "hhi": Column("HHI", 0, is_number=True),
    "concentration_level": Column("DOJ 2010"),
    "published_on": Column("Published", 3),
    "restated_on": Column("Restated", 3),
    "issue_name": Column("Issue", 2, is_prose=True),
}


def top(week: str | None, by: str, tier: str | None, scope: str, limit: int, form: Form) -> None:
    """Print the first symbols of a week. Any order but volume ranks the thousand largest only."""
    week_ending, scope = arguments.week(week), arguments.scope(scope)
    by, tier = arguments.choice(by, ranking.BY, "order"), arguments.tier(tier) if tier else None
    with resources.database().transaction() as transaction:
        rows = ranking.top(transaction, week_ending, by, tier, scope, limit)
        published = partitions(transaction, rows[0]["week_ending"]) if rows else ""
    if write(form, rows, COLUMNS):
        return
    if not rows:
        say(f"No metrics of scope {scope} are stored{f' for {week}' if week else ''}.")
    else:
        among = "" if by == "volume" else f" among the {ranking.among(by, limit):,} largest"
        say(
            published,
            f"Scope {scope}, {tier or 'all tiers'}: the first {counted(len(rows), 'symbol')} by {by}{among}.",
        )
        print_table(COLUMNS, [_shown(row) for row in rows])
        say(ATTRIBUTION)


def _shown(row: Row) -> Row:
    values = {"volume": whole(row["volume"]), "ats_fraction": percent(row["ats_fraction"])}
    return row | values | {"hhi": interval(row["hhi"], row["hhi_upper"])}


def partitions(transaction: Transaction, week: date) -> str:
    """Return a sentence: when each tier of the week was published, and whether it is loaded."""
    rows = {row["tier"]: row for row in transaction.rows("week_partitions", week_ending=week)}
    return f"Week ending {week}: {', '.join(_partition(tier, rows.get(tier)) for tier in TIERS)}."


def _partition(tier: str, row: Row | None) -> str:
    if row is None:
        return f"{tier} is not loaded"
    return f"{tier} published {row['published_on']}{'' if row['covers_all'] else ' (ATS only)'}"
