"""Read records and metrics into pandas frames or Arrow tables."""

import warnings
from collections.abc import Iterable
from datetime import date, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Literal, overload

import pyarrow as pa

from otcpipe import resources
from otcpipe.errors import UnknownSymbol
from otcpipe.frames import arguments
from otcpipe.metrics import catalog, completion
from otcpipe.metrics import history as _history
from otcpipe.metrics import symbols as _symbols
from otcpipe.metrics.rows import Choice
from otcpipe.storage import arrow
from otcpipe.storage.postgres import Transaction

if TYPE_CHECKING:
    import pandas as pd

Texts = str | Iterable[str] | None
Day = date | str | None
Known = datetime | date | str
Moment = Known | None
KNOWN_FROM, VINTAGE = "known_from", "vintage"


@overload
def read(
    table: str,
    *,
    symbols: Texts = ...,
    week: Day = ...,
    first: Day = ...,
    last: Day = ...,
    tier: str | None = ...,
    scope: str | None = ...,
    columns: Texts = ...,
    as_of: Moment = ...,
    history: bool = ...,
    vintages: Iterable[Known] | None = ...,
    strict: bool = ...,
    exact: bool = ...,
    as_arrow: Literal[False] = ...,
) -> "pd.DataFrame": ...
@overload
def read(
    table: str,
    *,
    symbols: Texts = ...,
    week: Day = ...,
    first: Day = ...,
    last: Day = ...,
    tier: str | None = ...,
    scope: str | None = ...,
    columns: Texts = ...,
    as_of: Moment = ...,
    history: bool = ...,
    vintages: Iterable[Known] | None = ...,
    strict: bool = ...,
    exact: bool = ...,
    as_arrow: Literal[True],
) -> pa.Table: ...
def read(
    table: str,
    *,
    symbols: Texts = None,
    week: Day = None,
    first: Day = None,
    last: Day = None,
    tier: str | None = None,
    scope: str | None = None,
    columns: Texts = None,
    as_of: Moment = None,
    history: bool = False,
    vintages: Iterable[Known] | None = None,
    strict: bool = False,
    exact: bool = False,
    as_arrow: bool = False,
) -> "pd.DataFrame | pa.Table":
    """Return the records (`venue_volume`) or a metric such as `symbol_summary`, sorted by what identifies a row.

    `otcpipe.tables()` and `otcpipe.columns(table)` describe what can be read. A date means the week that contains it;
    `first` and `last` are inclusive. Symbols are case-sensitive; one that no record has gives a warning with the
    nearest. `scope` is ATS, NON_ATS or ALL; of the records it chooses the venue types.

    `as_of` is a moment with a zone, or a date for the end of that day in New York: the answer is what was known then,
    and cannot look ahead. Records that FINRA updated before they were first observed are `unknown` in the column
    `certainty`, left out with `strict`, and in no metric.

    With `history`, the answer holds all values of all times, each with the interval `known_from` to `known_until` in
    which it was the known one (null: it still is), and the captures that opened and closed it. With `vintages`, it is
    the answer as of each of these moments, with the moment in the column `vintage`.

    Shares, dollars and percentages are float64, or with `exact` decimals that equal the tables to the last digit.
    Counts are int64, or nullable where they can be unknown. Days are datetime64, moments are in UTC. With `as_arrow`
    the answer is an Arrow table with decimals, which polars and DuckDB read without a copy.

    `read("symbol_summary_history")` is `read("symbol_summary", history=True)`.

    Raises only errors of `otcpipe.errors`: Invalid for a wrong argument, Unreachable for a server that is down.

    A metric has rows of several scopes, and venue shares have rows of each tier and of `ALL_TIERS`: choose one scope
    and one tier before rows are added up. `market_share_pct` has four decimals, which are few for the relative change
    of a small venue: divide its `total_volume` by that of all.

    >>> import otcpipe
    >>> frame = otcpipe.read("symbol_concentration", symbols="TCEHY", columns=["week_ending", "venue_count", "hhi"])
    >>> frame.assign(change=frame["hhi"].pct_change())
      week_ending  venue_count      hhi    change
    0  2025-11-14            3  3379.82       NaN
    1  2025-11-21            3  3372.67 -0.002115

    >>> records = otcpipe.read("venue_volume", week="2025-11-14", as_of="2025-12-15", strict=True, exact=True)
    >>> len(records), records["share_volume"].sum()
    (5328, Decimal('1335995901.000000'))

    >>> shares = otcpipe.read("venue_share", week="2025-11-14", scope="ATS", tier="OTCE")
    >>> shares.nlargest(2, "market_share_pct")[["mpid", "market_share_pct", "rank_change"]]
       mpid  market_share_pct  rank_change
    2  OTCN           82.1884         <NA>
    3  OTCX           14.4232         <NA>
    """
    now = resources.settings().now()
    table, is_named_history = catalog.split(table)
    history = history or is_named_history
    source = catalog.table(table)
    shown = source.history() if history else source
    chosen = shown.choose(arguments.texts(columns, "columns") or shown.names)
    at = arguments.moments(as_of, vintages, now)
    choices = [
        Choice(source, arguments.texts(symbols, "symbols"), tier, scope, moment, strict=strict, is_history=history)
        for moment in at
    ]
    fetched = list(dict.fromkeys([*source.keys, *([KNOWN_FROM] if history else []), *chosen]))
    begin, end = arguments.span(week, first, last, now)
    if as_of is None and vintages is None:
        completion.complete(resources.database(), [table], begin, end)
    if history and table != catalog.RECORDS:
        _history.build(resources.database(), [table], begin, end)
    with resources.database().snapshot() as transaction:
        if history and table != catalog.RECORDS:
            _history.require_built(transaction, table, begin, end)
        if history:
            transaction.rows("plan_for_a_week")
        is_float = not (exact or as_arrow)
        found = [
            arrow.table(transaction, one.query(fetched), is_float=is_float, **one.values(begin, end))
            for one in choices
        ]
        never_null = {row["name"] for row in transaction.rows("never_null", table=table)}
        unknown = _unknown(transaction, choices[0], pa.concat_tables(found))
    for symbol, nearest in unknown.items():
        warnings.warn(_symbols.sentence(symbol, nearest), UnknownSymbol, stacklevel=2)
    order = [(name, "ascending") for name in (*source.keys, *([KNOWN_FROM] if history else []))]
    tables = [rows.sort_by(order).select(chosen) for rows in found]
    if vintages is not None:
        tables = [rows.add_column(0, VINTAGE, _repeat(moment, rows)) for moment, rows in zip(at, tables, strict=True)]
    rows = pa.concat_tables(tables)
    if as_arrow:
        return rows
    return import_module("otcpipe.frames.convert").to_frame(rows, never_null)  # pandas is slow to import


def _repeat(moment: datetime | None, rows: pa.Table) -> pa.Array:
    return pa.repeat(pa.scalar(moment, pa.timestamp("us", "UTC")), rows.num_rows)


def _unknown(transaction: Transaction, choice: Choice, rows: pa.Table) -> dict[str, str | None]:
    """Return the symbols asked for that no record has, with the nearest; those in the answer need no query."""
    found = set(rows["symbol"].unique().to_pylist()) if choice.symbols else set()
    missing = [symbol for symbol in choice.symbols or () if symbol not in found]
    return _symbols.unknown(transaction, missing)
