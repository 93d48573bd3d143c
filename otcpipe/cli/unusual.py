"""Rank the symbols of a week by how far they are from their own past."""

from datetime import date

from otcpipe import resources
from otcpipe.answers import ranking
from otcpipe.cli.captions import partitions
from otcpipe.cli.console import print_table, say, say_all, whole
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.metrics.completion import complete_if_possible
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted

COLUMNS = {
    "symbol": key("Symbol"),
    "volume_per_day": key("Volume a day"),
    "median_13w": key("Median, 13 weeks"),
    "ratio_13w": Column("Ratio", 0, is_number=True),
    "robust_z_13w": key("Robust z"),
    "percentile_13w": Column("Percentile", 2),
    "streak": Column("Weeks in a row", 2),
    "vs_prior_5w_pct": Column("vs 5 weeks before %", 2),
    "ratio_52w": Column("Ratio, 52 weeks", 3),
    "robust_z_52w": Column("Robust z, 52 weeks", 3),
    "notional_per_day": Column("Dollars a day", 1),
    "issue_name": Column("Issue", 2, is_prose=True),
}


def unusual(week: date | None, tier: str | None, scope: str, limit: int, least: Row, form: Form) -> None:
    """Print the symbols of a week that are farthest from their own past; the week is completed first."""
    with resources.database().transaction() as transaction:
        friday = ranking.summarized(transaction, week, tier, scope)
    if friday:
        complete_if_possible(resources.database(), ranking.METRIC, friday)
    with resources.database().transaction() as transaction:
        found = ranking.unusual(transaction, friday, tier, scope, limit, least)
        published = partitions(transaction, friday) if friday else ""
    rows = found["rows"]
    if write(form, rows, COLUMNS):
        return
    if not friday:
        say(f"No metrics of scope {scope} are stored.")
        return
    floor = ranking.floor_sentence(least)
    first = f"the first {counted(len(rows), 'symbol')}, up or down, of those with {floor}"
    none = f"no symbol with {floor} has 8 weeks with records among the 13 before, whose median could be compared"
    say(published)
    say(f"Scope {scope}, the week against the 13 weeks before: {first if rows else none}.")
    if rows:
        print_table(COLUMNS, [_shown(row) for row in rows])
    pending = "This week is still to be completed: the numbers may change." if found["is_incomplete"] else None
    say_all([pending, ATTRIBUTION])


def _shown(row: Row) -> Row:
    names = ("volume_per_day", "median_13w", "notional_per_day")
    return row | {name: whole(row[name]) for name in names if row[name] is not None}
