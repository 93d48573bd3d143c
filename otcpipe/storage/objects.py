"""The content of stored objects: raw bytes as gzip, manifests as JSON, tables as reproducible Parquet."""

import io
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from otcpipe.datasets import WEEKLY
from otcpipe.errors import Damaged, TooSoon
from otcpipe.records import Manifest
from otcpipe.storage import raw_bytes
from otcpipe.storage.keys import Key
from otcpipe.storage.postgres import Database, Transaction
from otcpipe.storage.s3 import ObjectStore
from otcpipe.text.tables import RECORD, REJECT, Normalized

BUSY_SECONDS = 2  # until the next attempt


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the manifest as JSON: the same manifest gives the same bytes."""
    values = asdict(manifest) | {"observed_at": manifest.observed_at.isoformat()}
    return json.dumps(values, sort_keys=True, indent=1).encode()


def manifest(content: bytes) -> Manifest:
    """Return the manifest from its JSON; raises ValueError, KeyError or TypeError if it is not one."""
    values: dict[str, Any] = json.loads(content)
    observed_at = datetime.fromisoformat(values["observed_at"])
    return Manifest(**values | {"observed_at": observed_at, "request_ids": tuple(values["request_ids"])})


def put_raw(store: ObjectStore, key: Key, packed: bytes) -> bool:
    """Store raw bytes, compressed, unless the key exists; return whether they were stored.

    A damaged object is replaced.
    """
    if store.put_once(str(key), packed):
        return True
    try:
        raw_bytes.raw(store, key)
    except Damaged:
        store.discard(str(key))
        return store.put_once(str(key), packed)
    return False


def parquet_bytes(table: pa.Table) -> bytes:
    """Return the table as Parquet: with one release of Arrow, the same rows give the same bytes."""
    sink = io.BytesIO()
    dictionaries = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    options = {"use_dictionary": dictionaries, "write_statistics": False}  # both cost a third of the time
    pq.write_table(table, sink, compression="zstd", compression_level=1, store_schema=False, **options)
    return sink.getvalue()


def parsed(store: ObjectStore, key: Key) -> pa.Table:
    """Return the rows of text of a parsed key, as `parse.rows` returned them."""
    return pq.read_table(io.BytesIO(store.get(str(key))), read_dictionary=[*WEEKLY.dictionary_columns])


def normalized(store: ObjectStore, key: Key) -> Normalized:
    """Return the rows of a normalized key and its rejects, which lack two columns if an older release wrote them."""
    kept, rejects = (_table(store, one) for one in (key, key.sibling("rejected", key.digest)))
    if "lines" not in rejects.column_names:
        rejects = rejects.append_column("symbol", pa.nulls(rejects.num_rows, pa.string()))
        rejects = rejects.append_column("lines", pa.repeat(pa.scalar(1, pa.int32()), rejects.num_rows))
    return Normalized(kept, rejects.cast(REJECT))


def put_normalized(store: ObjectStore, key: Key, make: Callable[[], Normalized]) -> bool:
    """Store the result of `make` unless the key exists, rejects first; return whether the key was stored."""
    if store.exists(str(key)):
        return False
    rows = make()
    store.put_once(str(key.sibling("rejected", key.digest)), parquet_bytes(rows.rejects))
    return store.put_once(str(key), parquet_bytes(rows.kept))


def put_of_week(store: ObjectStore, database: Database, key: Key, make: Callable[[Transaction], bytes]) -> bool:
    """Store what `make` reads of the tables as a week's object, in place of an older one; return whether it changed.

    Runs for one week store it one after the other, each with what it reads then, so that the newest remains. Raises
    TooSoon if another run replaced the object while this one was paused.
    """
    with database.transaction() as transaction:
        transaction.rows("lock_object", key=str(key))
        old = _of_week(store, key)
        content = make(transaction)
        if content == old:
            return False
        if not store.swap(str(key), content, old):
            raise TooSoon(f"Another run replaced {key} meanwhile.", BUSY_SECONDS)
    return True


def _of_week(store: ObjectStore, key: Key) -> bytes | None:
    if not store.exists(str(key)):
        return None
    try:
        return store.get(str(key))
    except Damaged:
        store.discard(str(key))
        return None


def _table(store: ObjectStore, key: Key) -> pa.Table:
    names = [field.name for field in RECORD if field.type == pa.string() and field.name != "symbol"]
    return pq.read_table(io.BytesIO(store.get(str(key))), read_dictionary=names)
