"""Query the rows of a table, week by week, from one snapshot of the database."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from otcpipe.datasets import TIERS
from otcpipe.export.moments import AVAILABLE_AT, Moments
from otcpipe.metrics import catalog, definitions, history
from otcpipe.metrics.catalog import RECORDS
from otcpipe.metrics.definitions import WEEK
from otcpipe.metrics.rows import Choice
from otcpipe.storage import arrow
from otcpipe.storage.postgres import Database, Transaction
from otcpipe.text.printable import printable

WEEK_ENDING = "week_ending"
HISTORY = ("known_from", "known_until")
INTERVAL = {"known_from, known_until": "the interval in which the values were the known ones; without end: still"}
MOMENT = {"available_at": "the moment from which the row was known and has not changed since"}

FLOATS = "float64, the nearest to the decimals that are stored"
MOST_NAMED = 50  # symbols


@dataclass(frozen=True)
class Request:
    """What to export and where to; None for `first` and `last` means all weeks, None for `at` the current rows.

    Raises Invalid for a table or columns that do not exist, and for symbols of a table that has none.
    """

    table: str
    format: str
    folder: Path
    first: date | None = None
    last: date | None = None
    at: datetime | None = None
    symbols: Sequence[str] | None = None  # None for all
    columns: Sequence[str] = ()  # none for all
    is_float: bool = False  # float64 in place of decimals
    is_single_file: bool = False
    is_history: bool = False  # all values of all times, each with the interval in which it was known

    def __post_init__(self) -> None:
        self.choice()
        self.names()

    def choice(self) -> Choice:
        """Return the rows to export; what may have had another value before the first capture is left out."""
        return Choice(catalog.table(self.table), self.symbols, at=self.at, strict=True, is_history=self.is_history)

    @property
    def name(self) -> str:
        """The name of the directory and the files."""
        return f"{self.table}_history" if self.is_history else self.table

    def names(self) -> list[str]:
        """Return the columns of the files: a Parquet file in the directory of its week does not repeat it."""
        source = catalog.table(self.table)
        if self.is_history:
            source = source.history()
        has_week = self.format == "csv" or self.is_single_file
        chosen = source.choose(self.columns or source.names)
        times = HISTORY if self.is_history else (AVAILABLE_AT,)
        others = [name for name in chosen if name not in (WEEK_ENDING, *times)]
        return [*([WEEK_ENDING] if has_week else []), *others, *times]

    def about(self, weeks: Sequence[date]) -> dict[str, str]:
        """Return the description of a file with these weeks, for its reader."""
        return {
            "table": f"otc.{self.name}",
            "week_ending": " to ".join(map(str, dict.fromkeys([weeks[0], weeks[-1]]))),
            "as_of": "all times" if self.is_history else self.at.isoformat() if self.at else "the newest captures",
            **self._narrowed(),
            **(INTERVAL if self.is_history else MOMENT),
            "attribution": catalog.table(self.table).attribution,
        }

    def _narrowed(self) -> dict[str, str]:
        """Return what the options changed: which symbols alone, and floats in place of decimals."""
        found = {"numbers": FLOATS} if self.is_float else {}
        if self.symbols is not None:
            names = list(dict.fromkeys(self.symbols))
            more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
            found["symbols"] = f"only {printable(', '.join(names[:MOST_NAMED]))}{more}"
        return found


def tables() -> list[str]:
    """Return the names of all tables that can be exported: the records and every metric."""
    return [*catalog.tables()]


def loaded_weeks(database: Database, request: Request) -> list[date]:
    """Return the weeks of a request that are loaded, oldest first."""
    with database.snapshot() as transaction:
        return _weeks(transaction, request)


class Rows:
    """The rows of one request, unaffected by what is loaded meanwhile."""

    def __init__(self, transaction: Transaction, request: Request) -> None:
        if request.is_history and request.table != RECORDS:
            history.require_built(transaction, request.table, request.first, request.last)
        self.weeks = _weeks(transaction, request)
        transaction.rows("plan_for_a_week")
        self._transaction = transaction
        self._request = request
        self._choice = request.choice()
        lookback = definitions.lookback_weeks(request.table)
        has_moments = lookback is not None and not request.is_history
        self._moments = (
            Moments(transaction, self._choice, (lookback or 0) * WEEK, definitions.dataset_of(request.table))
            if has_moments
            else None
        )

    def of(self, week: date) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a week, in an order that depends on their values only."""
        names = self._request.names()
        if self._request.is_history:
            yield from self._stream(self._choice, week, names, "in_order_of_history")
        elif self._moments is None:
            for tier in sorted(TIERS):  # sorting by symbol first is much quicker: few rows have the same
                yield from self._stream(replace(self._choice, tier=tier), week, names, "in_order_of_tier")
        else:
            yield from self._with_moments(self._moments, week, names)

    def _with_moments(self, moments: Moments, week: date, names: list[str]) -> Iterator[pa.RecordBatch]:
        moments.load(week)
        keys = [name for name in ("tier", "symbol") if name in self._choice.table.names]
        fetched = list(dict.fromkeys([*names[:-1], *keys]))
        for rows in self._stream(self._choice, week, fetched, "in_order_of_keys"):
            available = moments.available_at(rows)
            yield rows.select(names[:-1]).append_column(AVAILABLE_AT, available)

    def count(self, week: date) -> int:
        """Return the number of rows of a week."""
        return arrow.count(self._transaction, self._choice.query([WEEK_ENDING]), **self._choice.values(week, week))

    def _stream(self, choice: Choice, week: date, names: list[str], order: str) -> Iterator[pa.RecordBatch]:
        query, values = choice.query(names, order), choice.values(week, week)
        return arrow.stream(self._transaction, query, is_float=self._request.is_float, **values)


def _weeks(transaction: Transaction, request: Request) -> list[date]:
    """Return the weeks of a request; a held partition concerns the metrics of now alone."""
    is_of_now = request.at is None and not request.is_history and request.table != RECORDS
    rows = transaction.rows("loaded_weeks" if is_of_now else "captured_weeks", first=request.first, last=request.last)
    return [row["week_ending"] for row in rows]
