"""Import files of the volume of all trading, or of splits, and compute what follows from them."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from rich.progress import Progress

from otcpipe import resources, weeks
from otcpipe.cli.console import console, say
from otcpipe.cli.import_checks import read_file
from otcpipe.errors import Invalid, TooSoon
from otcpipe.metrics import definitions, symbols
from otcpipe.pipeline.volumes import imports, splits
from otcpipe.pipeline.volumes.imports import Import
from otcpipe.stages.compute import compute
from otcpipe.storage import gz
from otcpipe.storage.keys import sha256
from otcpipe.text.counting import counted

FIRST_DAY = date(2000, 1, 1)
ANNOUNCED = timedelta(days=366)  # how long before its first day a split may be imported
MAX_NAMED = 10  # of the symbols of a file that are not stored
COMPARED = "off_exchange_share"  # whose weeks look back on the week before


def import_volumes(paths: list[Path], dataset: str, source: str, observed_at: str | None) -> None:
    """Check all files, then store and apply each that is new. Raises Invalid before anything has changed."""
    now = resources.settings().now()
    moment = weeks.parse_moment(observed_at, now) if observed_at else None
    files = [(path, *_check(path, dataset, source, moment or now)) for path in paths]
    due = {
        week
        for path, content, rows, warning in files
        for week in _import(path, content, rows, warning, dataset, source, moment, now)
    }
    if due:
        _compute(sorted(due), dataset)


def _check(path: Path, dataset: str, source: str, observed_at: datetime) -> tuple[bytes, pa.Table, str | None]:
    try:
        content = gz.expand(read_file(path))
        rows, warning = imports.read(dataset, source, content)
        _require_days(rows, dataset, observed_at)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from None
    except Invalid as error:
        raise Invalid(f"{path}: {error}") from None
    return content, rows, warning


def _require_days(rows: pa.Table, dataset: str, observed_at: datetime) -> None:
    """Raise Invalid for days that are too early, or after the observation; a split is announced before its day."""
    span, today = pc.min_max(rows["day"]).as_py(), weeks.today(observed_at)
    earliest, latest, words = FIRST_DAY, today, "past"
    if dataset == imports.SPLITS:
        earliest, latest, words = splits.FIRST_DAY, today + ANNOUNCED, "at most a year ahead"
        newest = pc.max(rows["known_from"]).as_py()
        if newest and newest > observed_at:
            raise Invalid(f"It has a known_from of {newest:%Y-%m-%d %H:%M} UTC, which is after the import.")
    if not earliest <= span["min"] <= span["max"] <= latest:
        found = f"It has days from {span['min']} to {span['max']}"
        raise Invalid(f"{found}; they must be in {earliest.year} or later, and {words}.")


def _import(
    path: Path,
    content: bytes,
    rows: pa.Table,
    warning: str | None,
    dataset: str,
    source: str,
    moment: datetime | None,
    now: datetime,
) -> list[date]:
    """Store a file and apply it; return the weeks whose metric is due."""
    database, objects, prefix = resources.database(), resources.store(), resources.settings()["S3_PREFIX"]
    span = pc.min_max(rows["day"]).as_py()
    name, days = ("split", "ex-dates") if dataset == imports.SPLITS else ("row", "days")
    what = f"{path.name}: {counted(rows.num_rows, name)}, {days} from {span['min']} to {span['max']}, of {source}"
    digest = sha256(content)
    known = imports.known(database, dataset, source, digest, moment)
    if known:
        say(f"{what}: already imported, observed at {known['observed_at']:%Y-%m-%d %H:%M:%S} UTC; nothing to do.")
        return []
    one = Import(dataset, source, digest, moment or now)
    imports.store(objects, prefix, one, content)
    due = imports.apply(database, objects, prefix, one, rows)
    say(f"{what}: imported.")
    if warning:
        say(f"Warning: {path.name}: {warning}")
    if dataset == imports.SPLITS:
        _say_unknown(rows["symbol"].unique().to_pylist())
    return due


def _say_unknown(names: list[str]) -> None:
    """Say which symbols no record has: their splits change nothing."""
    with resources.database().transaction() as transaction:
        unknown = symbols.unknown(transaction, names)
    say(*(symbols.sentence(name, near) for name, near in [*unknown.items()][:MAX_NAMED]))
    if len(unknown) > MAX_NAMED:
        say(f"Nor are {len(unknown) - MAX_NAMED:,} others.")


def _compute(due: list[date], dataset: str) -> None:
    """Compute the weeks, or leave those that are busy to the workers."""
    metric = " and ".join(one.name for one in definitions.readers_of(dataset) if not one.is_deferred)
    left = 0
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for week in progress.track(due, description=metric):
            try:
                compute(resources.database(), week)
            except TooSoon:
                left += 1
    why = ": those of the file, and each week after, which is compared with them" if metric == COMPARED else ""
    say(f"Computed {metric} of {counted(len(due) - left, 'week')}{why}.")
    if left:
        say(f"{counted(left, 'week')} that workers compute at this moment are left to them.")
