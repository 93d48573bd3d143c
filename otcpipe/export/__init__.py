"""Export tables to Parquet or CSV: a directory for each week or one file, with `available_at` on every row."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import date

from otcpipe.export.directory import ExportDirectory
from otcpipe.export.formats import FORMATS
from otcpipe.export.query import Request, Rows, loaded_weeks, tables
from otcpipe.metrics import history
from otcpipe.metrics.catalog import RECORDS
from otcpipe.storage.postgres import Database

__all__ = ["FORMATS", "Request", "count", "export", "loaded_weeks", "tables"]

Progress = Callable[[date, int], None]


def export(database: Database, request: Request, report: Progress) -> None:
    """Write each week that has rows, and call `report` with each week and its number of rows.

    Files appear together at the end. A file of an earlier export that would have no rows now is removed. Raises
    Invalid for a path that cannot be written to, and OtcpipeError for a disk that is full.
    """
    suffix = FORMATS[request.format].suffix
    if request.is_history and request.table != RECORDS:
        history.build(database, [request.table], request.first or date.min, request.last or date.max)
    with (
        ExportDirectory(request.folder / request.name, suffix, is_single_file=request.is_single_file) as directory,
        database.snapshot() as transaction,
    ):
        rows = Rows(transaction, request)
        if request.is_single_file:
            _write(rows, request, directory, rows.weeks, report)
            directory.keep([None])
            return
        for week in rows.weeks:
            _write(rows, request, directory, [week], report)
        directory.keep(rows.weeks)


def _write(rows: Rows, request: Request, directory: ExportDirectory, weeks: list[date], report: Progress) -> None:
    """Write the rows of the weeks to one file, which is not made if they have none."""
    place = None if request.is_single_file else weeks[0]
    file = None
    with ExitStack() as files:
        for week in weeks:
            written = 0
            for batch in rows.of(week):
                if file is None:
                    form = FORMATS[request.format]
                    file = files.enter_context(form(directory.place(place), batch.schema, request.about(weeks)))
                written += file.write(batch)
            report(week, written)


def count(database: Database, request: Request, report: Progress) -> None:
    """Call `report` with each week and the number of rows that `export` would write."""
    with database.snapshot() as transaction:
        rows = Rows(transaction, request)
        for week in rows.weeks:
            report(week, rows.count(week))
