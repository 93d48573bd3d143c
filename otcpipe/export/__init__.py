"""Tables as files: Parquet or CSV, one directory a week, `available_at` on every row."""

from collections.abc import Callable
from datetime import date

from otcpipe.export.directory import Shelf
from otcpipe.export.formats import FORMATS
from otcpipe.export.query import Request, Rows, loaded_weeks, tables
from otcpipe.storage.postgres import Database

__all__ = ["FORMATS", "Request", "count", "export", "loaded_weeks", "tables"]

Progress = Callable[[date, int], None]


def export(database: Database, request: Request, told: Progress) -> None:
    """Write each week that has rows; `told` hears of each week with its rows.

    Files appear together at the end. Files of the weeks asked for that have no rows now are taken away.
    """
    form = FORMATS[request.format]
    with Shelf(request.folder / request.table, form.suffix) as shelf, database.transaction() as transaction:
        rows = Rows(transaction, request)
        for week in rows.weeks:
            batches = rows.of(week)
            first = next(batches, None)
            written = 0
            if first:
                with form(shelf.place(week), first.schema, request.about(week)) as file:
                    written = file.write(first) + sum(map(file.write, batches))
            told(week, written)
        shelf.keep(rows.weeks)


def count(database: Database, request: Request, told: Progress) -> None:
    """The same, without a file."""
    with database.transaction() as transaction:
        rows = Rows(transaction, request)
        for week in rows.weeks:
            told(week, rows.count(week))
