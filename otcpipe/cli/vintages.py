"""Show what was known of a symbol's weeks, and from when until when."""

from dataclasses import asdict

from otcpipe import resources
from otcpipe.answers import arguments
from otcpipe.answers.symbol_lookup import find
from otcpipe.cli.captions import trended
from otcpipe.cli.console import interval, print_table, say, whole
from otcpipe.cli.form import Form
from otcpipe.cli.history import build_histories
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Row

TIMES = ("known_from", "known_until")
METRICS = ["symbol_summary", "symbol_rolling_avg", "symbol_concentration"]
COLUMNS = {
    "week_ending": key("Week ending"),
    "known_from": key("Known from, UTC"),
    "known_until": Column("Until, UTC", 0),
    "volume": key("Volume"),
    "trades": Column("Trades", 4),
    "avg_6w_volume": Column("6-week mean"),
    "volume_vs_avg_pct": Column("vs mean %", 3),
    "trend": Column("Trend", 3),
    "hhi": Column("HHI", is_number=True),
    "concentration_level": Column("DOJ 2010", 2),
}


def vintages(symbol: str, week: str | None, count: int, scope: str | None, form: Form) -> None:
    """Print `count` weeks up to `week`, oldest first, each with all values that were ever the known ones.

    Without `scope` it is ALL if it was ever known, else ATS. Stale histories are built first.
    """
    friday, scopes = arguments.week(week), [arguments.scope(scope)] if scope else ["ALL", "ATS"]
    with resources.database().transaction() as transaction:
        asked = find(transaction, symbol, friday, count, None)
    build_histories(METRICS, asked.first, asked.last)
    with resources.database().transaction() as transaction:
        values = asdict(asked)
        found = [transaction.rows("symbol_vintages", **values, scope=one) for one in scopes]
    rows = _merged(next(filter(None, found), found[0]))
    if write(form, rows, COLUMNS):
        return
    if not rows:
        say(f"Nothing was ever known of {asked.symbol} in scope {scopes[-1]} in these weeks.")
        return
    say(f"{asked.symbol}, scope {rows[0]['scope']}: what was known of each week, and from when until when.")
    print_table(COLUMNS, [_shown(row) for row in rows])
    say(ATTRIBUTION)


def _merged(rows: list[Row]) -> list[Row]:
    """Return the rows with one for following intervals of the same values: another tier or scope changed between."""
    merged: list[Row] = []
    for row in rows:
        last = merged[-1] if merged else None
        if last and last["known_until"] == row["known_from"] and _values(last) == _values(row):
            merged[-1] = last | {"known_until": row["known_until"]}
        else:
            merged.append(row)
    return merged


def _values(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in TIMES}


def _shown(row: Row) -> Row:
    wholes = {name: None if row[name] is None else whole(row[name]) for name in ("volume", "avg_6w_volume")}
    return trended(row) | wholes | {"hhi": interval(row["hhi"], row["hhi_upper"])}
