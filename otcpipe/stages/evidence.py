"""What the stored objects of a capture say: whether they are whole, and what follows from its raw bytes."""

import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product

import pyarrow as pa
import pyarrow.parquet as pq

from otcpipe.errors import Damaged, Invalid
from otcpipe.quality import reconciliation
from otcpipe.records import Normalized, decode_dictionaries
from otcpipe.stages import normalize, parse
from otcpipe.storage import objects
from otcpipe.storage.keys import Key
from otcpipe.storage.postgres import Row
from otcpipe.storage.s3 import ObjectStore
from otcpipe.weeks import published_on


@dataclass(frozen=True)
class Evidence:
    """What follows from a raw key's bytes with the code as it is: rows, and columns of `otc.capture`."""

    rows: Normalized
    columns: dict[str, object]
    findings: tuple[str, ...]  # about the derived objects


def _normalized_key(raw: Key, of_parse: int, of_normalize: int) -> Key:
    """What a raw key leads to by these versions of the two stages."""
    return raw.derived("parsed", "parse", of_parse).derived("normalized", "normalize", of_normalize)


def is_stale(raw: Key, key: str) -> bool:
    """Whether a normalized key is one that an older version of the code made."""
    return follows(raw, key) and key != str(_normalized_key(raw, parse.VERSION, normalize.VERSION))


def follows(raw: Key, key: str) -> bool:
    """Return whether a raw key leads to this normalized key, by today's code or by an older version of it."""
    versions = product(range(parse.VERSION + 1), range(normalize.VERSION + 1))
    return any(key == str(_normalized_key(raw, *pair)) for pair in versions)


def content(store: ObjectStore, raw: Key) -> bytes:
    """The raw bytes; raises Damaged when they are not those that the key names."""
    try:
        return objects.raw(store, raw)
    except Invalid as error:
        raise Damaged(str(raw), f"cannot be expanded: {error}".removesuffix(".")) from error


def recompute(store: ObjectStore, raw: Key) -> Evidence:
    """Run the pure stages on the raw bytes; raises Damaged when those are not whole."""
    text = content(store, raw)
    table = parse.rows(text)
    rows = normalize.rows(table, raw.partition)
    key = _normalized_key(raw, parse.VERSION, normalize.VERSION)
    derived = {
        raw.derived("parsed", "parse", parse.VERSION): table,
        key.sibling("rejected", key.digest): rows.rejects,
        key: rows.kept,
    }
    findings = [finding for key, table in derived.items() for finding in _compare(store, key, table)]
    columns = {"normalized_key": str(key), "added_columns": parse.added_columns(text)} | reconciliation.account(rows)
    return Evidence(rows, columns, tuple(findings))


def _compare(store: ObjectStore, key: Key, table: pa.Table) -> Iterator[str]:
    """A derived object may be absent; one that is there holds just these rows, by whatever release of Arrow."""
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


def of_observation(store: ObjectStore, fetched: Key, capture: Row) -> Iterator[str]:
    """What the manifest of an observation and its bytes have against the capture."""
    try:
        manifest = objects.manifest(store.get(str(fetched)))
    except Damaged as damage:
        yield str(damage)
        return
    except (ValueError, KeyError, TypeError):
        yield f"{fetched} is not a manifest."
        return
    told = asdict(manifest) | {
        **asdict(fetched.partition),
        "request_ids": list(manifest.request_ids),
        "raw_key": str(fetched.sibling("raw", manifest.digest)),
        "published_on": published_on(fetched.partition.week_ending, fetched.partition.tier),
    }
    yield from differing(capture, told, "its manifest")
    yield from _fetched_bytes(store, fetched.sibling("fetched", manifest.digest, "psv.gz"))


def _fetched_bytes(store: ObjectStore, key: Key) -> Iterator[str]:
    """The bytes as they came in may be gone, since the raw ones stay."""
    if store.exists(str(key)):
        try:
            content(store, key)
        except Damaged as damage:
            yield str(damage)


def differing(capture: Row, expected: dict[str, object], source: str) -> Iterator[str]:
    for name, value in expected.items():
        if capture[name] != value:
            yield f"Capture {capture['capture_id']}: {name} is {capture[name]} in the table, {value} by {source}."
