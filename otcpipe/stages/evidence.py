"""Check the stored objects of a capture, and recompute what follows from its raw bytes."""

import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product

import pyarrow as pa
import pyarrow.parquet as pq

from otcpipe.errors import Damaged
from otcpipe.quality import reconciliation
from otcpipe.records import Partition
from otcpipe.stages import normalize, parse, versions
from otcpipe.storage import objects, raw_bytes
from otcpipe.storage.keys import Key
from otcpipe.storage.postgres import Row
from otcpipe.storage.s3 import ObjectStore
from otcpipe.text.tables import Normalized, decode_dictionaries

NOTED_LATER = {"late_records"}  # columns of `otc.capture` that are null for captures of older releases


@dataclass(frozen=True)
class Evidence:
    """What follows from a raw key's bytes with the current code: rows, and columns of `otc.capture`."""

    rows: Normalized
    columns: dict[str, object]
    findings: tuple[str, ...]  # on the derived objects


def _normalized_key(raw: Key, parse_version: int, normalize_version: int) -> Key:
    """Return the normalized key of a raw key, for given code versions of the two stages."""
    return raw.derived("parsed", "parse", parse_version).derived("normalized", "normalize", normalize_version)


def is_stale(raw: Key, key: str) -> bool:
    """Return whether an older version of the code made the normalized key of a raw key."""
    return follows(raw, key) and key != str(_normalized_key(raw, versions.PARSE, versions.NORMALIZE))


def follows(raw: Key, key: str) -> bool:
    """Return whether the normalized key follows from the raw key, by the current or an older version of the code."""
    pairs = product(range(versions.PARSE + 1), range(versions.NORMALIZE + 1))
    return any(key == str(_normalized_key(raw, *pair)) for pair in pairs)


def derive(store: ObjectStore, raw: Key) -> Normalized:
    """Run the pure stages on the raw bytes; raises Damaged or Invalid if they cannot be read."""
    return normalize.rows(parse.rows(raw_bytes.proven(store, raw)), raw.partition)


def normalized_key(raw: Key) -> Key:
    """Return the normalized key of a raw key by the current code."""
    return _normalized_key(raw, versions.PARSE, versions.NORMALIZE)


def account(rows: Normalized, partition: Partition) -> dict[str, object]:
    """Return what a capture's rows say of it, columns of `otc.capture`: counts, reconciliation and days."""
    day = normalize.published_on(rows, partition)
    days = {"published_on": day, "late_records": normalize.late(rows.records, day).num_rows}
    return reconciliation.account(rows) | days


def recompute(store: ObjectStore, raw: Key) -> Evidence:
    """Run the pure stages on the raw bytes; raises Damaged if the bytes do not match their key."""
    text = raw_bytes.proven(store, raw)
    table = parse.rows(text)
    rows = normalize.rows(table, raw.partition)
    key = _normalized_key(raw, versions.PARSE, versions.NORMALIZE)
    derived = {
        raw.derived("parsed", "parse", versions.PARSE): table,
        key.sibling("rejected", key.digest): rows.rejects,
        key: rows.kept,
    }
    findings = [finding for key, table in derived.items() for finding in _compare(store, key, table)]
    columns = account(rows, raw.partition) | {"normalized_key": str(key), "added_columns": parse.added_columns(text)}
    return Evidence(rows, columns, tuple(findings))


def _compare(store: ObjectStore, key: Key, table: pa.Table) -> Iterator[str]:
    """Yield what is wrong with a derived object: it may be missing, else it must hold these rows, in any encoding."""
    if not store.exists(str(key)):
        return
    try:
        stored = store.get(str(key))
        if stored != objects.parquet_bytes(table) and not pq.read_table(io.BytesIO(stored)).equals(
            decode_dictionaries(table)
        ):
            yield f"{key} does not hold the rows of its raw bytes."
    except Damaged as damage:
        yield str(damage)
    except (pa.ArrowException, OSError):
        yield f"{key} cannot be read as Parquet."


def check_observation(store: ObjectStore, fetched: Key, capture: Row) -> Iterator[str]:
    """Yield what the manifest and the bytes of an observation contradict in the capture."""
    try:
        manifest = objects.manifest(store.get(str(fetched)))
    except Damaged as damage:
        yield str(damage)
        return
    except (ValueError, KeyError, TypeError):
        yield f"{fetched} is not a manifest."
        return
    expected = asdict(manifest) | {
        **asdict(fetched.partition),
        "request_ids": list(manifest.request_ids),
        "raw_key": str(fetched.sibling("raw", manifest.digest)),
    }
    yield from compare(capture, expected, "its manifest")
    yield from _fetched_bytes(store, fetched.sibling("fetched", manifest.digest, "psv.gz"))


def _fetched_bytes(store: ObjectStore, key: Key) -> Iterator[str]:
    """Yield what is wrong with the fetched bytes, which may be missing, since the raw object has the same."""
    if store.exists(str(key)):
        try:
            raw_bytes.proven(store, key)
        except Damaged as damage:
            yield str(damage)


def compare(capture: Row, expected: dict[str, object], source: str) -> Iterator[str]:
    """Yield a sentence for each column of the capture that is not as expected; `source` says by what."""
    for name, value in expected.items():
        is_of_older_release = name in NOTED_LATER and capture[name] is None
        if capture[name] != value and not is_of_older_release:
            yield f"Capture {capture['capture_id']}: {name} is {capture[name]} in the table, {value} by {source}."
