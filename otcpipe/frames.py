"""Read records and metrics into pandas frames."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import takewhile

import pandas as pd
import pyarrow as pa

from otcpipe import resources, weeks
from otcpipe.errors import Invalid
from otcpipe.metrics import definitions
from otcpipe.storage import arrow
from otcpipe.storage.postgres import Transaction

RECORDS = "venue_volume"
EVER = datetime.max.replace(tzinfo=UTC)
NULLABLE: dict[pa.DataType, pd.api.extensions.ExtensionDtype] = {
    pa.int64(): pd.Int64Dtype(),
    pa.int32(): pd.Int32Dtype(),
}


def read(
    table: str,
    *,
    symbols: str | Iterable[str] | None = None,
    week: date | str | None = None,
    first: date | str | None = None,
    last: date | str | None = None,
    as_of: datetime | str | None = None,
    strict: bool = False,
    exact: bool = True,
) -> pd.DataFrame:
    """Return the records (`venue_volume`) or a metric such as `symbol_summary`, sorted by what identifies a row.

    Symbols are case-sensitive. A date means the week that contains it; `first` and `last` are inclusive. `as_of` is a
    moment with a zone: the answer is what was known then, and cannot look ahead. Records that were restated before
    they were first observed are `unknown` in the column `certainty`, left out with `strict`, and in no metric.
    Raises Invalid for a table, date or moment that does not exist.

    Shares, dollars and percentages are Arrow decimals, equal to the tables to the last digit. With `exact=False` they
    are float64, for NumPy and fast arithmetic. Counts are nullable integers, days are datetime64, moments are in UTC.

    >>> import otcpipe
    >>> frame = otcpipe.read("symbol_concentration", symbols="TCEHY")
    >>> frame[["week_ending", "venue_count", "hhi", "concentration_level"]]
      week_ending  venue_count      hhi concentration_level
    0  2025-11-14            3  3379.82        concentrated
    1  2025-11-21            3  3372.67        concentrated

    >>> records = otcpipe.read("venue_volume", week="2025-11-14", as_of="2025-12-15T06:00:00-05:00", strict=True)
    >>> len(records), records["share_volume"].sum()
    (5328, Decimal('1335995901.000000'))

    >>> shares = otcpipe.read("venue_share", week="2025-11-14", exact=False)
    >>> shares.loc[shares["rank"] <= 2, ["mpid", "market_share_pct", "rank_change"]]
       mpid  market_share_pct  rank_change
    2  OTCN           82.1884         <NA>
    3  OTCX           14.4232         <NA>
    """
    span = _span(week, first, last)
    at = _moment(as_of)
    wanted = [symbols] if isinstance(symbols, str) else None if symbols is None else list(symbols)
    with resources.database().transaction() as transaction:
        transaction.run("utc")
        if table == RECORDS:
            rows = arrow.table(transaction, "records", **span, at=at or EVER, strict=strict, symbols=wanted)
        else:
            _check(transaction, table, wanted)
            transaction.rows("ask_metric", **span, metric=table, at=at, symbols=wanted)
            rows = arrow.table(transaction, "asked")
    return _frame(rows, exact=exact)


def _span(week: date | str | None, first: date | str | None, last: date | str | None) -> dict[str, date]:
    if week is not None and (first is not None or last is not None):
        raise Invalid("Give either `week`, or `first` and `last`.")
    if week is not None:
        first = last = week
    texts = [None if day is None else str(day) for day in (first, last)]
    begin, end = weeks.parse_span(texts[0], texts[1], resources.settings().now())
    return {"first": begin or date.min, "last": end or date.max}


def _moment(as_of: datetime | str | None) -> datetime | None:
    return None if as_of is None else weeks.parse_moment(str(as_of), resources.settings().now())


def _check(transaction: Transaction, table: str, symbols: list[str] | None) -> None:
    names = [RECORDS, *(metric.name for metric in definitions.metrics())]
    if table not in names:
        raise Invalid(f"{table!r} cannot be read; choose from {', '.join(names)}.")
    if symbols is not None and not transaction.rows("has_symbols", metric=table):
        raise Invalid(f"{table} has no column of symbols: leave `symbols` out.")


def _frame(rows: pa.Table, *, exact: bool) -> pd.DataFrame:
    """Sort rows by every column before the first decimal, and cast dates to timestamps, as pandas stores them."""
    keys = [
        (field.name, "ascending") for field in takewhile(lambda one: not pa.types.is_decimal(one.type), rows.schema)
    ]
    rows = rows.sort_by(keys)
    schema = pa.schema([field.with_type(_arrow(field.type, exact=exact)) for field in rows.schema])
    return rows.cast(schema).to_pandas(types_mapper=_pandas)


def _arrow(kind: pa.DataType, *, exact: bool) -> pa.DataType:
    if pa.types.is_date(kind):
        return pa.timestamp("us")
    return pa.float64() if pa.types.is_decimal(kind) and not exact else kind


def _pandas(kind: pa.DataType) -> pd.api.extensions.ExtensionDtype | None:
    return pd.ArrowDtype(kind) if pa.types.is_decimal(kind) else NULLABLE.get(kind)
