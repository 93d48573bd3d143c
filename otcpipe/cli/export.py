"""Write a table to files, with a progress bar."""

from datetime import date
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from otcpipe import export as _export
from otcpipe import resources, weeks
from otcpipe.answers.moments import new_york
from otcpipe.cli.console import console, say
from otcpipe.cli.history import build_histories, complete
from otcpipe.errors import Invalid
from otcpipe.metrics import catalog
from otcpipe.metrics import symbols as _symbols
from otcpipe.metrics.catalog import RECORDS
from otcpipe.text.choices import choose
from otcpipe.text.counting import counted

SUFFIXES = (".csv", ".parquet")


def export(
    table: str | None,
    first: str | None,
    last: str | None,
    form: str,
    at: str | None,
    folder: Path,
    *,
    week: str | None = None,
    symbols: list[str] | None = None,
    columns: list[str] | None = None,
    is_float: bool = False,
    is_single_file: bool = False,
    is_history: bool = False,
    is_dry: bool = False,
) -> None:
    """Write the weeks of a table to files below `folder`; with `is_dry`, only count their rows."""
    now = resources.settings().now()
    if table is None:
        raise Invalid(f"Name the table to export: {', '.join(_export.tables())}.")
    if last and _is_place(last):
        raise Invalid(
            "--to takes the date of the last week. Files are written to a folder with -o;"
            f" `otcpipe publish --to {last}` writes all values of all times to a folder or s3://BUCKET/PREFIX."
        )
    if folder.suffix in SUFFIXES and not folder.is_dir():
        raise Invalid(f"-o names the directory in which {folder.suffix} files are made, each named after its table.")
    if week and (first or last):
        raise Invalid("Give --week for one week, or --from and --to for several.")
    begin, end = weeks.parse_span(week or first, week or last, now)
    table, is_named_history = catalog.split(table)
    request = _export.Request(
        choose(table, _export.tables(), "table"),
        choose(form, list(_export.FORMATS), "format"),
        folder,
        begin,
        end,
        weeks.parse_as_of(at, now) if at else None,
        symbols=_names(symbols) if symbols else None,
        columns=_names(columns or []),
        is_float=is_float,
        is_single_file=is_single_file,
        is_history=is_history or is_named_history,
    )
    _check_symbols(request)
    if request.is_history and request.table != RECORDS:
        build_histories([request.table], begin, end)
    elif request.at is None:
        complete([request.table], begin, end)
    written = _written(request, is_dry=is_dry)
    if not written:
        say(f"{table} has no rows in these weeks.")
        return
    last = f" to {max(written)}" if len(written) > 1 else ""
    span = f"{counted(len(written), 'week')} ending {min(written)}{last}"
    rows = f"{sum(written.values()):,} rows of {request.name}, {span}"
    say(f"{rows}: nothing was written." if is_dry else f"Wrote {rows}, to {folder / request.name}.")
    if request.at:
        say(f"As known on {new_york(request.at)}.")
    say(catalog.table(request.table).attribution)


def _is_place(text: str) -> bool:
    """Return whether a text that should be a date names a folder or an object store."""
    return "://" in text or text.startswith(("/", "./", "../", "~")) or text.endswith("/") or Path(text).is_dir()


def _names(texts: list[str]) -> list[str]:
    """Return the names in an option that is given several times, with commas between names, or both."""
    return [name for text in texts for part in text.split(",") if (name := part.strip())]


def _check_symbols(request: _export.Request) -> None:
    """Raise Invalid if no symbol of the request has records; name those that have none."""
    with resources.database().snapshot() as transaction:
        unknown = _symbols.unknown(transaction, list(request.symbols or ()))
    sentences = [_symbols.sentence(symbol, near) for symbol, near in unknown.items()]
    if unknown and len(unknown) == len(set(request.symbols or ())):
        raise Invalid(" ".join(sentences))
    for sentence in sentences:
        say(sentence)


def _written(request: _export.Request, *, is_dry: bool) -> dict[date, int]:
    """Export, and return the number of rows of each week that has any."""
    written: dict[date, int] = {}
    columns = (BarColumn(), TextColumn("{task.completed}/{task.total} weeks"), TextColumn("{task.fields[doing]}"))
    with Progress(
        *columns,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        total = len(_export.loaded_weeks(resources.database(), request))
        task = progress.add_task("", total=total, doing="")

        def report(week: date, rows: int) -> None:
            written[week] = rows
            progress.update(task, advance=1, doing=f"{sum(written.values()):,} rows")

        (_export.count if is_dry else _export.export)(resources.database(), request, report)
    return {week: rows for week, rows in written.items() if rows}
