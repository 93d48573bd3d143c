"""Print the tables of a symbol."""

from decimal import Decimal

from otcpipe.cli.console import bar, interval, number, print_table, say, whole
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Row

MAX_VENUES = 15  # in the table
HISTORY = {
    "week_ending": "week ending",
    "volume": "volume",
    "bar": "",
    "trades": "trades",
    "volume_vs_avg_pct": "vs 6-week mean %",
    "trend": "trend",
    "ats_fraction": "ATS fraction",
    "average_price": "price $",
    "hhi": "HHI",
    "concentration_level": "DOJ 2010",
    "tiers": "tiers",
    "published_on": "published",
    "restated_on": "restated",
}
VENUES = {
    "venue_name": "venue",
    "mpid": "MPID",
    "firm_crd": "CRD",
    "volume": "volume",
    "share_pct": "share %",
    "bar": "",
    "trades": "trades",
    "avg_trade_size": "shares per trade",
    "published_on": "published",
    "restated_on": "restated",
}
CONCENTRATION = {
    "scope": "scope",
    "venue_count": "venues",
    "hhi": "HHI",
    "effective_venues": "effective",
    "top_venue_share_pct": "top %",
    "top3_share_pct": "top 3 %",
    "de_minimis_share_pct": "de minimis %",
    "concentration_level": "DOJ 2010",
    "concentration_level_2023": "DOJ 2023",
}
REVISIONS = {
    "week_ending": "week ending",
    "tier": "tier",
    "observed_at": "observed",
    "days_late": "days late",
    "change": "change",
    "venue_name": "venue",
    "share_volume_before": "shares before",
    "share_volume_after": "shares after",
}


def print_symbol(found: Row) -> None:
    """Print the weeks, venues, concentration and revisions of a symbol; what is empty is left out."""
    scope, last, history, venues = found["scope"], found["week_ending"], found["history"], found["venues"]
    known = f", as known on {found['as_of']:%Y-%m-%d %H:%M} UTC" if found["as_of"] else ""
    say(f"{found['symbol']}, scope {scope}{known}.")
    if found["unknown_records"]:
        say(f"{found['unknown_records']} records are left out: they were restated before they were first captured.")
    _section(
        "Weeks, newest first:",
        HISTORY,
        _with_bars(_with_intervals([row for row in history if row["scope"] == scope])),
    )
    shown = [row | {"firm_crd": number(row)} for row in _with_bars(venues)[:MAX_VENUES]]
    first = f", the first {MAX_VENUES} of {len(venues)}" if len(venues) > MAX_VENUES else ""
    _section(f"Venues in the week ending {last}{first}:", VENUES, shown)
    of_week = [row for row in history if row["week_ending"] == last and row["hhi"] is not None]
    title = f"Concentration in the week ending {last}, as an interval where firms are not named:"
    _section(title, CONCENTRATION, _with_intervals(of_week))
    _section("Revisions in these weeks:", REVISIONS, found["revisions"])
    say(ATTRIBUTION)


def _section(title: str, columns: dict[str, str], rows: list[Row]) -> None:
    if rows:
        say("", title)
        print_table(columns, rows)


def _with_intervals(rows: list[Row]) -> list[Row]:
    return [row | {"hhi": interval(row["hhi"], row["hhi_upper"])} for row in rows]


def _with_bars(rows: list[Row]) -> list[Row]:
    most = max((row["volume"] for row in rows), default=Decimal(0))
    return [row | {"volume": whole(row["volume"]), "bar": bar(row["volume"], most)} for row in rows]
