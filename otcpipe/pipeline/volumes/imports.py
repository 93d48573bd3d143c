"""Imported files: their bytes and manifests in S3, and the versions of their rows in PostgreSQL.

The versions follow from the set of imports in the order of observation, whatever the order of their arrival.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.errors import Damaged, Invalid
from otcpipe.metrics import definitions
from otcpipe.pipeline.volumes import consolidated, market, splits
from otcpipe.storage import arrow, gz
from otcpipe.storage.keys import sha256
from otcpipe.storage.postgres import Database, Row, Transaction
from otcpipe.storage.s3 import ObjectStore

MARKET, CONSOLIDATED, SPLITS = DATASETS = definitions.DATASETS
CBOE = "Cboe Exchange, Inc."  # which asks to be cited as the source
DIGITS = 13  # hexadecimal, of an import's number


@dataclass(frozen=True)
class Import:
    """A file that was imported: what it holds, who made it, its SHA-256, and when it was observed."""

    dataset: str
    source: str
    digest: str
    observed_at: datetime

    def key(self, prefix: str) -> str:
        """Return the key of the manifest; equal imports have equal keys."""
        name = f"{self.source} {self.digest} {self.observed_at.isoformat()}"
        return f"{prefix}/volume/{self.dataset}/{sha256(name.encode())}.json"

    def content_key(self, prefix: str) -> str:
        """Return the key of the file's bytes, compressed."""
        return f"{prefix}/volume/{self.dataset}/{self.digest}.gz"


def read(dataset: str, source: str, content: bytes) -> tuple[pa.Table, str | None]:
    """Return the rows of a file, and a warning or None; raises Invalid if it is not such a file."""
    if dataset == MARKET:
        return market.read(content)
    return (splits.read(content) if dataset == SPLITS else consolidated.read(content, source)), None


def known(database: Database, dataset: str, source: str, digest: str, moment: datetime | None) -> Row | None:
    """Return the import of a content, or the one observed at exactly `moment`; None if there is none.

    Without a moment, a content that a newer import of the same source and days followed is not known: it came back.
    So is one of splits that any newer import followed, because that may have withdrawn some on other days.
    """
    with database.transaction() as transaction:
        rows = transaction.rows("volume_imports", dataset=dataset)
    same = [row for row in rows if (row["source"], row["digest"]) == (source, digest)]
    if moment is not None:
        return next((row for row in same if row["observed_at"] == moment), None)
    return next((row for row in same if not any(_replaces(other, row) for other in rows)), None)


def _replaces(other: Row, one: Row) -> bool:
    is_newer: bool = other["source"] == one["source"] and other["observed_at"] > one["observed_at"]
    is_of_same_days: bool = other["first_day"] <= one["last_day"] and one["first_day"] <= other["last_day"]
    return is_newer and (is_of_same_days or one["dataset"] == SPLITS)


def store(objects: ObjectStore, prefix: str, one: Import, content: bytes) -> None:
    """Store the bytes, then the manifest, in S3."""
    objects.put_once(one.content_key(prefix), gz.compress(content))
    values = asdict(one) | {"observed_at": one.observed_at.isoformat()}
    objects.put_once(one.key(prefix), json.dumps(values, sort_keys=True, indent=1).encode())


def apply(database: Database, objects: ObjectStore, prefix: str, one: Import, rows: pa.Table) -> list[date]:
    """Insert an import and its versions, and return the weeks with metrics that are due; none if it was known.

    All imports of the dataset are applied again if this one was observed before another.
    """
    with database.transaction() as transaction:
        transaction.rows("lock_volumes")
        others = transaction.rows("volume_imports", dataset=one.dataset)
        if not transaction.run("add_volume_import", **_row(one, prefix, rows)):
            return []
        if any((row["observed_at"], row["key"]) > (one.observed_at, one.key(prefix)) for row in others):
            transaction.run(f"forget_{one.dataset}")
            weeks = _apply_all(transaction, objects, prefix, one.dataset)
        else:
            weeks = _apply_rows(transaction, one, prefix, rows)
        return definitions.mark_readers_due(transaction, one.dataset, weeks)


def _apply_all(transaction: Transaction, objects: ObjectStore, prefix: str, dataset: str) -> list[date]:
    weeks: set[date] = set()
    for row in transaction.rows("volume_imports", dataset=dataset):
        one = Import(dataset, row["source"], row["digest"], row["observed_at"])
        weeks |= {
            *_apply_rows(transaction, one, prefix, read(dataset, one.source, _content(objects, prefix, one))[0])
        }
    return sorted(weeks)


def _apply_rows(transaction: Transaction, one: Import, prefix: str, rows: pa.Table) -> list[date]:
    transaction.run(f"create_incoming_{one.dataset}")
    transaction.run("clear_incoming")
    arrow.copy(transaction, f"copy_{one.dataset}", rows)
    changed = transaction.rows(f"apply_{one.dataset}", import_id=number_of(one, prefix))
    return [row["week_ending"] for row in changed]


def number_of(one: Import, prefix: str) -> int:
    """Return the import's number, a function of its key without the prefix: it survives a restore."""
    return int(sha256(one.key(prefix).removeprefix(f"{prefix}/").encode())[:DIGITS], 16)


def restore(database: Database, objects: ObjectStore, prefix: str, warn: Callable[[str], object]) -> list[date]:
    """Apply all imports in S3 that PostgreSQL lacks, oldest first; return the weeks whose metrics are due.

    `warn` receives a sentence for each that cannot be read.
    """
    with database.transaction() as transaction:
        known = {row["key"] for name in DATASETS for row in transaction.rows("volume_imports", dataset=name)}
    missing = [one for one in _stored(objects, prefix, warn) if one.key(prefix) not in known]
    weeks: set[date] = set()
    for one in sorted(missing, key=lambda one: (one.observed_at, one.key(prefix))):
        try:
            rows, _ = read(one.dataset, one.source, _content(objects, prefix, one))
        except (Invalid, Damaged, ValueError) as error:
            warn(f"The import {one.key(prefix)} cannot be read: {error}")
            continue
        weeks |= {*apply(database, objects, prefix, one, rows)}
    return sorted(weeks)


def _stored(objects: ObjectStore, prefix: str, warn: Callable[[str], object]) -> Iterable[Import]:
    for key in objects.keys(f"{prefix}/volume/"):
        if not key.endswith(".json"):
            continue
        try:
            one = decode(objects.get(key))
            if one.dataset not in DATASETS or one.key(prefix) != key:
                raise ValueError("its manifest does not belong to its key")
            yield one
        except (Damaged, ValueError, KeyError, TypeError) as error:
            warn(f"The import {key} cannot be read: {error}")


def decode(content: bytes) -> Import:
    """Return the import of a manifest; raises ValueError, KeyError or TypeError if it is not one."""
    values = json.loads(content)
    return Import(**values | {"observed_at": datetime.fromisoformat(values["observed_at"])})


def _content(objects: ObjectStore, prefix: str, one: Import) -> bytes:
    content = gz.expand(objects.get(one.content_key(prefix)))
    if sha256(content) != one.digest:
        raise Damaged(one.content_key(prefix), "does not match the SHA-256 in its key")
    return content


def _row(one: Import, prefix: str, rows: pa.Table) -> Row:
    span = pc.min_max(rows["day"]).as_py()
    return asdict(one) | {
        "import_id": number_of(one, prefix),
        "key": one.key(prefix),
        "first_day": span["min"],
        "last_day": span["max"],
        "rows": rows.num_rows,
    }
