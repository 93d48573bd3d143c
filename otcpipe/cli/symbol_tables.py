"""Print the tables of a symbol."""

from collections.abc import Mapping
from decimal import Decimal

from otcpipe.answers.moments import new_york
from otcpipe.audit.revisions import newest
from otcpipe.cli.captions import trended, updated
from otcpipe.cli.caveats import few_weeks, fewer, inferred, left_out, to_be_completed, too_early
from otcpipe.cli.changed_shares import shares
from otcpipe.cli.console import bar, interval, number, percent, print_table, say, say_all, two_decimals, whole
from otcpipe.cli.tables import Column, key
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted

HISTORY = {
    "week_ending": key("Week ending"),
    "volume": key("Volume"),
    "bar": Column("", 2),
    "trades": Column("Trades"),
    "avg_6w_volume": Column("6-week mean", is_number=True),
    "volume_vs_avg_pct": Column("vs mean %"),
    "trend": Column("Trend", 2),
    "ats_fraction": Column("ATS share %"),
    "average_price": Column("Price $", 2),
    "hhi": Column("HHI", 0, is_number=True),
    "concentration_level": Column("DOJ 2010"),
    "tiers": Column("Tiers", 4),
    "published_on": Column("Published", 3),
    "updated_on": Column("Updated", 3),
}
VENUES = {
    "venue_name": key("Venue", is_prose=True),
    "mpid": key("MPID"),
    "firm_crd": Column("CRD", 2),
    "volume": key("Volume"),
    "share_pct": key("Share %"),
    "bar": Column("", 2),
    "trades": Column("Trades"),
    "avg_trade_size": Column("Shares per trade"),
    "published_on": Column("Published", 3),
    "updated_on": Column("Updated", 3),
}
CONCENTRATION = {
    "scope": key("Scope"),
    "venue_count": Column("Venues"),
    "hhi": Column("HHI", 0, is_number=True),
    "effective_venues": Column("Effective venues", 2),
    "top_venue_share_pct": Column("Top venue %"),
    "top3_share_pct": Column("Top 3 %", 2),
    "de_minimis_share_pct": Column("De minimis %", 2),
    "concentration_level": Column("DOJ 2010"),
    "concentration_level_2023": Column("DOJ 2023", 2),
}
UNUSUAL = {
    "week_ending": key("Week ending"),
    "volume_per_day": key("Volume a day"),
    "median_13w": Column("Median, 13 weeks"),
    "ratio_13w": Column("Ratio", 0, is_number=True),
    "robust_z_13w": key("Robust z"),
    "is_unusual": key(""),
    "percentile_13w": Column("Percentile", 2),
    "streak": Column("Weeks in a row", 2),
    "robust_z_52w": Column("Robust z, 52 weeks", 3),
    "split_factor": Column("Split factor", 1, is_number=True),
}
CHANGES = {
    "week_ending": key("Week ending"),
    "hhi_change": key("HHI change"),
    "from_entry": Column("From entry"),
    "from_exit": Column("From exit"),
    "from_reallocation": Column("From reallocation"),
    "entries": Column("Entries", 2),
    "exits": Column("Exits", 2),
}
SPLITS = {
    "week_ending": key("Week ending"),
    "ratio": key("New for old"),
    "source": key("Source"),
    "ex_date": Column("Ex-date", 1),
    "price_before": Column("Price before $", 2, is_number=True),
    "price_after": Column("Price after $", 2, is_number=True),
}
OFF_EXCHANGE = {
    "week_ending": key("Week ending"),
    "source": Column("Source", 2),
    "consolidated_volume": Column("All trading"),
    "off_exchange_volume": Column("Off exchange"),
    "off_exchange_share_pct": key("Off exchange %"),
    "ats_share_pct": Column("ATS %"),
    "note": Column("Note", 1, is_prose=True),
}
REVISIONS = {
    "week_ending": key("Week ending"),
    "tier": key("Tier"),
    "venue_name": key("Venue", is_prose=True, least=12),
    "change": Column("Change", 2),
    "share_volume_before": Column("Shares before"),
    "share_volume_after": key("Shares after"),
    "observed_at": Column("Observed, UTC", 3),
    "days_late": Column("Days late", 4),
}
WINDOW = 6  # weeks of the mean
UNUSUAL_Z = Decimal("3.5")  # Iglewicz and Hoaglin (1993), How to Detect and Handle Outliers: of a modified z-score


def print_symbol(found: Row, count: int, limit: int) -> None:
    """Print the weeks, of which `count` were asked for, first venues, concentration and revisions of a symbol.

    What is empty is left out.
    """
    scope, last, history, venues = found["scope"], found["week_ending"], found["history"], found["venues"]
    known = f", as known on {new_york(found['as_of'])}" if found["as_of"] else ""
    issue = f", {found['issue_name']}" if found["issue_name"] else ""
    say(f"{found['symbol']}{issue}; scope {scope}{known}.")
    say_all([inferred(found["inferred_records"]), left_out(found)])
    of_scope = _with_bars([_of_week(row) for row in history if row["scope"] == scope])
    _section(f"Weeks, newest first{fewer(len(of_scope), count)}:", HISTORY, of_scope)
    say_all([few_weeks(row["avg_6w_volume"] for row in of_scope)])
    shown = [_venue(row) for row in _with_bars(venues)[:limit]]
    of_all = f", the first {limit} of {len(venues)} rows (see --limit)" if len(venues) > limit else ""
    number_of = counted(sum(row["is_named"] for row in venues), "venue")
    _section(f"Volume in the week ending {last}, {number_of}{of_all}:", VENUES, shown)
    of_week = [row for row in history if row["week_ending"] == last and row["hhi"] is not None]
    title = f"Concentration in the week ending {last}, as an interval where firms are not named:"
    _section(title, CONCENTRATION, [_formatted(row) for row in of_week])
    _print_comparisons(found)
    _section(
        "Splits, which the comparisons above are adjusted for:", SPLITS, [_split(row) for row in found["splits"]]
    )
    _section("Share of all trading:", OFF_EXCHANGE, [_of_all_trading(row) for row in found["off_exchange"]])
    revised = newest(found["revisions"], limit)
    of_all = f", {len(revised)} of {len(found['revisions'])} (see --limit)" if revised != found["revisions"] else ""
    _section(f"Revisions in these weeks{of_all}:", REVISIONS, [row | shares(row) for row in revised])
    say_all([updated([*shown, *history]), ATTRIBUTION])


def _print_comparisons(found: Row) -> None:
    weeks = found["signals"]
    compared = [_unusual(row) for row in weeks if row["robust_z_13w"] is not None or row["split_factor"] is not None]
    _section(f"Against the 13 weeks before; unusual is a robust z beyond {UNUSUAL_Z}:", UNUSUAL, compared)
    say_all([too_early(sum(row["weeks_13w"] is not None and row["median_13w"] is None for row in weeks))])
    changed = [row for row in weeks if row["hhi_change"] is not None]
    _section("Why the concentration changed from the week before:", CHANGES, changed)
    say_all([to_be_completed(found["incomplete_weeks"])])


def _section(title: str, columns: Mapping[str, Column], rows: list[Row]) -> None:
    if rows:
        say("", title)
        print_table(columns, rows)


def _venue(row: Row) -> Row:
    return row | {"firm_crd": number(row), "avg_trade_size": two_decimals(row["avg_trade_size"])}


def _unusual(row: Row) -> Row:
    """Return the row for people: whole shares, and a factor without zeros at its end."""
    wholes = {name: whole(row[name]) for name in ("volume_per_day", "median_13w") if row[name] is not None}
    z = row["robust_z_13w"]
    is_unusual = "unusual" if z is not None and abs(z) >= UNUSUAL_Z else None
    return row | wholes | {"split_factor": _short(row["split_factor"]), "is_unusual": is_unusual}


def _split(row: Row) -> Row:
    prices = {name: two_decimals(row[name]) for name in ("price_before", "price_after")}
    return row | prices | {"ratio": _short(row["ratio"])}


def _short(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"


def _of_all_trading(row: Row) -> Row:
    """Return the row for people, with what makes its share doubtful."""
    jump = f"jumped {row['jump_factor']}-fold: is the file adjusted for a split?" if row["jump_factor"] else ""
    wholes = {name: whole(row[name]) for name in ("consolidated_volume", "off_exchange_volume")}
    return row | wholes | {"note": "above 100 %" if row["is_above_100"] else jump}


def _of_week(row: Row) -> Row:
    """Return the row with whole points of HHI, so that more fits in a line: below, the last week has decimals."""
    low, high = (None if row[name] is None else whole(row[name]) for name in ("hhi", "hhi_upper"))
    shown = None if low is None else f"{low:,}" if low == high else f"{low:,}..{high:,}"
    mean, weeks = row["avg_6w_volume"], row["weeks_in_window"]
    of_fewer = f" ({weeks})" if weeks and weeks < WINDOW else ""
    is_shown = mean is not None and weeks != 1
    return _formatted(row) | {"hhi": shown, "avg_6w_volume": f"{whole(mean):,}{of_fewer}" if is_shown else None}


def _formatted(row: Row) -> Row:
    values = {"ats_fraction": percent(row["ats_fraction"]), "effective_venues": two_decimals(row["effective_venues"])}
    return trended(row) | values | {"hhi": interval(row["hhi"], row["hhi_upper"])}


def _with_bars(rows: list[Row]) -> list[Row]:
    most = max((row["volume"] for row in rows), default=Decimal(0))
    return [row | {"volume": whole(row["volume"]), "bar": bar(row["volume"], most)} for row in rows]
