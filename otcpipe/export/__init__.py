"""Export tables to Parquet or CSV files: one directory for each week, `available_at` on every row."""

from collections.abc import Callable
from datetime import date

from otcpipe.export.directory import ExportDirectory
from otcpipe.export.formats import FORMATS
from otcpipe.export.query import Request, Rows, loaded_weeks, tables
from otcpipe.storage.postgres import Database

__all__ = ["FORMATS", "Request", "count", "export", "loaded_weeks", "tables"]

Progress = Callable[[date, int], None]


def export(database: Database, request: Request, report: Progress) -> None:
    """Write each week that has rows, and call `report` with each week and its number of rows.

    Files appear together at the end. A week without rows loses the file of an earlier export. Raises Invalid for a
    path that cannot be written to, and OtcpipeError for a disk that is full.
    """
    form = FORMATS[request.format]
    with (
        ExportDirectory(request.folder / request.table, form.suffix) as directory,
        database.transaction() as transaction,
    ):
        rows = Rows(transaction, request)
        for week in rows.weeks:
            batches = rows.of(week)
            first = next(batches, None)
            written = 0
            if first:
                with form(directory.place(week), first.schema, request.about(week)) as file:
                    written = file.write(first) + sum(map(file.write, batches))
            report(week, written)
        directory.keep(rows.weeks)


def count(database: Database, request: Request, report: Progress) -> None:
    """Call `report` with each week and the number of rows that `export` would write."""
    with database.transaction() as transaction:
        rows = Rows(transaction, request)
        for week in rows.weeks:
            report(week, rows.count(week))
