"""Query the rows of a table, week by week, from one snapshot of the database."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from otcpipe.metrics import definitions
from otcpipe.metrics.definitions import WEEK
from otcpipe.records import ATTRIBUTION
from otcpipe.storage import arrow, sql
from otcpipe.storage.postgres import Database, Transaction

RECORDS = "venue_volume"


@dataclass(frozen=True)
class Request:
    """What to export and where to; None for `first` and `last` means all weeks, None for `at` the current rows."""

    table: str
    format: str
    folder: Path
    first: date | None = None
    last: date | None = None
    at: datetime | None = None

    def about(self, week: date) -> dict[str, str]:
        """Return the description of one file, for its reader."""
        return {
            "table": f"otc.{self.table}",
            "week_ending": str(week),
            "as_of": self.at.isoformat() if self.at else "the newest captures",
            "available_at": "the moment from which the row was known and has not changed since",
            "attribution": ATTRIBUTION,
        }


def tables() -> list[str]:
    """Return the names of all tables that can be exported: the records and every metric."""
    return [RECORDS, *sorted(metric.name for metric in definitions.metrics())]


def loaded_weeks(database: Database, request: Request) -> list[date]:
    """Return the weeks of a request that are loaded, oldest first."""
    with database.transaction() as transaction:
        return _weeks(transaction, request)


class Rows:
    """The rows of one request, unaffected by what is loaded meanwhile."""

    def __init__(self, transaction: Transaction, request: Request) -> None:
        transaction.script(sql.statements()["begin_export"])
        self.weeks = _weeks(transaction, request)
        self._transaction = transaction
        self._table = request.table
        self._at = request.at
        self._back = {metric.name: metric.lookahead_weeks * WEEK for metric in definitions.metrics()}.get(
            request.table
        )
        self._noted = date.min  # the last week whose records are noted

    def of(self, week: date) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a week, in an order that depends on their values only."""
        values = {"week_ending": week, "at": self._at}
        if self._back is None:
            return arrow.stream(self._transaction, "exported_records", **values)
        self._note_known(week - self._back, week)
        self._transaction.rows("take_metric", metric=self._table, **values)
        return arrow.stream(self._transaction, "exported_metric", first=week - self._back, **values)

    def count(self, week: date) -> int:
        """Return the number of rows of a week."""
        values = {"week_ending": week, "at": self._at}
        if self._back is None:
            counted = self._transaction.rows("count_records", **values)
        else:
            self._transaction.rows("take_metric", metric=self._table, **values)
            counted = self._transaction.rows("count_metric")
        return int(counted[0]["rows"])

    def _note_known(self, first: date, last: date) -> None:
        """Note when the records of these weeks became known, each week once."""
        self._transaction.run("forget_known", first=first)
        while (week := max(first, self._noted + WEEK)) <= last:
            self._transaction.run("note_known", week_ending=week, at=self._at)
            self._noted = week


def _weeks(transaction: Transaction, request: Request) -> list[date]:
    rows = transaction.rows("loaded_weeks", first=request.first, last=request.last)
    return [row["week_ending"] for row in rows]
