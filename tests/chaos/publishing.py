"""A lake that is published while everything else goes wrong, by a process that is killed again and again."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from otcpipe import resources
from otcpipe.export import lake
from otcpipe.export.target import Folder
from otcpipe.metrics import catalog
from tests.export.test_export import same, stored


class Publisher:
    """Publishes to a folder, from another process for as long as a phase is disturbed."""

    def __init__(self, folder: Path, rng: Random) -> None:
        self._folder = folder
        self._rng = rng
        self.kills = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Publish repeatedly while the block lasts; each process is killed after at most three seconds."""
        is_over = threading.Event()
        thread = threading.Thread(target=self._publish_until, args=(is_over,))
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _publish_until(self, is_over: threading.Event) -> None:
        command = (sys.executable, "-m", "otcpipe", "publish", "--to", str(self._folder))
        while not is_over.is_set():
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                is_over.wait(self._rng.uniform(0.5, 3))
                self.kills += process.poll() is None
                process.kill()

    def faults(self) -> list[str]:
        """Return what a reader cannot read now: files of the manifest that are missing or damaged."""
        return [fault for entry in self._entries() for fault in self._read(entry)[1]]

    def publish(self) -> list[str]:
        """Publish to the end; return each table of the lake that differs from its history."""
        lake.publish(resources.database(), Folder(self._folder), catalog.stored())
        faults = self.faults()
        for table in catalog.stored():
            rows = [row for entry in self._entries() if entry["table"] == table for row in self._read(entry)[0]]
            expected = stored(f"select * from otc.{table}_history")
            names = [name for name in (expected or [{}])[0] if name not in {"tier", "week_ending"}]
            if same(rows, names) != same(expected, names):
                faults.append(
                    f"the lake's {table} has {len(rows):,} rows that are not the {len(expected):,} of its history"
                )
        return faults

    def _entries(self) -> list[dict[str, str]]:
        manifest = self._folder / lake.MANIFEST
        entries: list[dict[str, str]] = json.loads(manifest.read_bytes())["files"] if manifest.exists() else []
        return entries

    def _read(self, entry: dict[str, str]) -> tuple[list[dict[str, object]], list[str]]:
        try:
            return pq.ParquetFile(self._folder / entry["path"]).read().to_pylist(), []
        except (OSError, pa.ArrowException) as error:
            return [], [f"the lake's {entry['path']} cannot be read: {error}"]
