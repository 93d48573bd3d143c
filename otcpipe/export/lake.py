"""A lake: the histories as Parquet files that DuckDB, polars, Spark and Trino read without PostgreSQL.

Each file holds a week of a table, or a tier of it, under a name that follows from its bytes. The manifest names the
files that belong together. It is replaced last and at once, so that a reader of it sees the old state or the new.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from otcpipe.errors import Invalid
from otcpipe.export.query import Request, Rows
from otcpipe.export.target import Target
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.keys import sha256
from otcpipe.storage.postgres import Database, Transaction

MANIFEST = "manifest.json"
TIER = "tier"
Progress = Callable[[int, int], object]  # weeks of tables published so far, and all


@dataclass(frozen=True, order=True)
class Entry:
    """A file of the lake; `state` is what its week follows from, so that an unchanged week is not read again."""

    table: str
    week_ending: str
    path: str
    rows: int
    state: str


def publish(
    database: Database,
    target: Target,
    tables: Iterable[str],
    first: date | None = None,
    report: Progress | None = None,
) -> int:
    """Write the weeks that changed, then the manifest, then remove what neither it nor the one before names.

    Weeks before `first` and tables not named stay as they are, as do weeks whose history is not built. Returns how
    many files are new. Raises Invalid while another publication runs, and for a folder that cannot be written to.
    """
    with database.snapshot() as transaction:
        if not transaction.rows("try_publish")[0]["is_locked"]:
            raise Invalid("Another publication is running: wait for it.")
        return _publish(transaction, target, set(tables), first, report)


def _publish(
    transaction: Transaction, target: Target, tables: set[str], first: date | None, report: Progress | None
) -> int:
    old, states = _read(target), _states(transaction, sorted(tables), first)
    kept = [one for one in old if _is_kept(one, states, tables)]
    known = {(one.table, one.week_ending) for one in kept}
    due = [(key, state) for key, state in sorted(states.items()) if state is not None and key not in known]
    new, written = [], 0
    for number, (key, state) in enumerate(due, 1):
        for path, content, rows in _files(transaction, *key):
            written += target.put(path, content)
            new.append(Entry(*key, path, rows, state))
        if report:
            report(number, len(due))
    entries = sorted([*kept, *new])
    if entries != old:
        target.replace(MANIFEST, _encode(entries))
    named = {one.path for one in (*old, *entries)}
    for path in target.paths():
        if path.endswith(".parquet") and path not in named:
            target.remove(path)
    return written


def _is_kept(one: Entry, states: dict[tuple[str, str], str | None], tables: set[str]) -> bool:
    """Return whether a file stays: its week is unchanged, not to be published now, or not built yet."""
    state = states.get((one.table, one.week_ending), "")
    return one.table not in tables or state in (None, one.state)


def _states(transaction: Transaction, tables: list[str], first: date | None) -> dict[tuple[str, str], str | None]:
    """Return what each week of each table follows from; None if it is not to be published now."""
    rows = transaction.rows("publishable", tables=tables, first=first or date.min)
    return {(row["name"], str(row["week_ending"])): row["state"] for row in rows}


def _files(transaction: Transaction, table: str, week: str) -> Iterator[tuple[str, bytes, int]]:
    """Yield path, bytes and number of rows of each file of a week."""
    friday = date.fromisoformat(week)
    request = Request(table, "parquet", Path(), friday, friday, is_history=True)
    batches = list(Rows(transaction, request).of(friday))
    if not batches:
        return
    rows = pa.Table.from_batches(batches)
    folder = f"{request.name}/week_ending={week}"
    for tier in sorted(rows[TIER].unique().to_pylist()) if TIER in rows.column_names else [None]:
        own = rows if tier is None else rows.filter(pc.equal(rows[TIER], tier)).drop_columns([TIER])
        content = _parquet(own, request.about([friday]))
        place = folder if tier is None else f"{folder}/{TIER}={tier}"
        yield f"{place}/{sha256(content)[:16]}.parquet", content, own.num_rows


def _parquet(rows: pa.Table, about: dict[str, str]) -> bytes:
    file = io.BytesIO()
    pq.write_table(rows.replace_schema_metadata(about), file, compression="zstd")
    return file.getvalue()


def _read(target: Target) -> list[Entry]:
    content = target.read(MANIFEST)
    return [Entry(**one) for one in json.loads(content)["files"]] if content else []


def _encode(entries: list[Entry]) -> bytes:
    """Return the manifest; equal entries have equal bytes."""
    values: dict[str, Any] = {"attribution": ATTRIBUTION, "files": [vars(one) for one in entries]}
    return json.dumps(values, indent=1).encode()
