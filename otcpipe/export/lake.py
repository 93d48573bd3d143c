"""A lake: the histories as Parquet files that DuckDB, polars, Spark and Trino read without PostgreSQL.

Each file holds a week of a table, or a tier of it, under a name that begins with a digest of its bytes. The manifest
names the files that belong together. It is replaced last and at once, so that a reader of it sees the old state or
the new, and only where it is still the one that the publication began with.
"""

import io
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from otcpipe.errors import TooSoon
from otcpipe.export import manifest
from otcpipe.export.manifest import MANIFEST, Entry, Manifest
from otcpipe.export.query import Request, Rows
from otcpipe.export.target import Target
from otcpipe.metrics.definitions import lookback_weeks
from otcpipe.stages import versions
from otcpipe.storage.postgres import Database, Transaction

TIER = "tier"
BUSY_SECONDS = 2  # until the next attempt
Progress = Callable[[int, int], object]  # weeks of tables published so far, and all
Week = tuple[str, str]  # a table and one of its weeks
States = dict[Week, str | None]


def publish(
    database: Database,
    target: Target,
    tables: Iterable[str],
    first: date | None = None,
    weeks: Collection[date] | None = None,
    report: Progress | None = None,
) -> int:
    """Write the weeks that changed, then the manifest, then remove what neither it nor the one before names.

    Weeks before `first`, or not of `weeks`, and tables not named stay as they are, as do weeks whose history is not
    built. Returns how many files are new. Raises TooSoon while another publication runs, or if one ran while this one
    was paused, and Invalid for a folder that cannot be written to.
    """
    names = set(tables)
    with _locked(database) as lock, database.snapshot() as transaction:
        old, states = manifest.read(target), _states(transaction, names, first, weeks)
        kept = [one for one in old.entries if one.table not in names or _is_kept(one, states)]
        due = _due(kept, states)
        new, written = [], 0
        for number, (key, state) in enumerate(due, 1):
            lock.rows("try_publish")  # keeps the connection from being closed as idle
            for folder, content, rows in _files(transaction, *key):
                path = old.path(folder, content) if rows else ""
                written += bool(path) and target.put(path, content)
                new.append(Entry(*key, path, rows, state))
            if report:
                report(number, len(due))
        lock.rows("try_publish")  # fails if the connection, and with it the lock, was lost
        folders = [""] if weeks is None else [f"{_folder(*key)}/" for key, _ in due]
        _replace(target, old, sorted([*kept, *new]), folders)
    return written


def unpublished(database: Database, target: Target, tables: Iterable[str]) -> list[date]:
    """Return the weeks of which something built is not in the lake, in order."""
    with database.snapshot() as transaction:
        states = _states(transaction, tables, None, None)
    kept = [one for one in manifest.read(target).entries if _is_kept(one, states)]
    return sorted({date.fromisoformat(week) for (_, week), _ in _due(kept, states)})


@contextmanager
def _locked(database: Database) -> Iterator[Transaction]:
    """Exclude other publications; the snapshot of what is published must be taken after that."""
    with database.transaction() as transaction:
        if not transaction.rows("try_publish")[0]["is_locked"]:
            raise TooSoon("Another publication is running: wait for it.", BUSY_SECONDS)
        yield transaction


def _is_kept(one: Entry, states: States) -> bool:
    """Return whether a file stays: its week is unchanged, not to be published now, or not built yet."""
    return states.get((one.table, one.week_ending), "") in (None, one.state)


def _due(kept: list[Entry], states: States) -> list[tuple[Week, str]]:
    """Return the weeks of tables to be written, each with its state."""
    known = {(one.table, one.week_ending) for one in kept}
    return [(key, state) for key, state in sorted(states.items()) if state is not None and key not in known]


def _replace(target: Target, old: Manifest, entries: list[Entry], folders: Iterable[str]) -> None:
    """Write the manifest if it changes, then remove files of some folders that neither it nor the old one names."""
    named = {one.path for one in (*old.entries, *entries)}
    unnamed = [path for folder in folders for path in target.paths(folder) if manifest.is_file(path)]
    removed = [path for path in unnamed if path not in named]
    if entries == old.entries and not removed:
        return
    if not target.swap(MANIFEST, old.replaced(entries), old.content):
        raise TooSoon("Another publication replaced the manifest meanwhile: publish again.", BUSY_SECONDS)
    for path in removed:
        target.remove(path)


def _states(
    transaction: Transaction, tables: Iterable[str], first: date | None, weeks: Collection[date] | None
) -> States:
    """Return what each week of each table follows from, the code too; None if it is not to be published now."""
    chosen = {"first": first or date.min, "weeks": None if weeks is None else [*weeks]}
    names = sorted(tables)
    lookbacks = [lookback_weeks(name) or 0 for name in names]
    rows = transaction.rows("publishable", tables=names, lookbacks=lookbacks, **chosen)
    code = f"{versions.COMPUTE}.{versions.PUBLISH}"
    return {(row["name"], str(row["week_ending"])): row["state"] and f"{row['state']} {code}" for row in rows}


def _folder(table: str, week: str) -> str:
    return f"{table}_history/week_ending={week}"


def _files(transaction: Transaction, table: str, week: str) -> Iterator[tuple[str, bytes, int]]:
    """Yield folder, bytes and number of rows of each file of a week; a week without rows has none."""
    friday = date.fromisoformat(week)
    request = Request(table, "parquet", Path(), friday, friday, is_history=True)
    batches = list(Rows(transaction, request).of(friday))
    if not batches:
        yield "", b"", 0
        return
    rows = pa.Table.from_batches(batches)
    folder = _folder(table, week)
    for tier in sorted(rows[TIER].unique().to_pylist()) if TIER in rows.column_names else [None]:
        own = rows if tier is None else rows.filter(pc.equal(rows[TIER], tier)).drop_columns([TIER])
        content = _parquet(own, request.about([friday]))
        yield folder if tier is None else f"{folder}/{TIER}={tier}", content, own.num_rows


def _parquet(rows: pa.Table, about: dict[str, str]) -> bytes:
    file = io.BytesIO()
    pq.write_table(rows.replace_schema_metadata(about), file, compression="zstd")
    return file.getvalue()
