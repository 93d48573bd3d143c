"""The lake that the workers publish while everything goes wrong, as its readers see it."""

import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from otcpipe import resources
from otcpipe.broker import actors
from otcpipe.export import manifest, target
from otcpipe.metrics import catalog
from otcpipe.schedule import JobContext, jobs
from tests.export.test_export import same, stored

Entry = dict[str, str]


def publish_rest() -> str:
    """Do as the scheduler does now and then: build what is stale, and enqueue what the lake lacks."""
    context = JobContext(
        datetime.now(UTC), resources.database(), resources.store(), resources.settings(), actors.send, list
    )
    return jobs.build_histories(context)


def faults() -> list[str]:
    """Return what a reader cannot read now: files of the manifest that are missing or damaged."""
    root = _root()
    return [fault for entry in _entries(root) for fault in _read(root, entry)[1]]


def differences() -> list[str]:
    """Return each table of the lake that differs from its history."""
    root, found = _root(), faults()
    entries = _entries(root)
    for table in catalog.stored():
        rows = [row for entry in entries if entry["table"] == table for row in _read(root, entry)[0]]
        expected = stored(f"select * from otc.{table}_history")
        names = [name for name in (expected or [{}])[0] if name not in {"tier", "week_ending"}]
        if same(rows, names) != same(expected, names):
            found.append(f"the lake's {table} has {len(rows):,} rows, not the {len(expected):,} of its history")
    return found


def _root() -> target.Target:
    return target.of(resources.settings()["PUBLISH"], resources.settings())


def _entries(root: target.Target) -> list[Entry]:
    content = root.read(manifest.MANIFEST)
    entries: list[Entry] = json.loads(content)["files"] if content else []
    return entries


def _read(root: target.Target, entry: Entry) -> tuple[list[dict[str, object]], list[str]]:
    content = root.read(entry["path"])
    if content is None:
        return [], [f"the lake's {entry['path']} is missing"]
    try:
        return pq.ParquetFile(io.BytesIO(content)).read().to_pylist(), []
    except pa.ArrowException as error:
        return [], [f"the lake's {entry['path']} cannot be read: {error}"]
