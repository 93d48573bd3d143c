"""A lake that is published to a folder or the object store, read back as DuckDB and polars do."""

import json
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from otcpipe import resources
from otcpipe.errors import Invalid, TooSoon
from otcpipe.export import lake, manifest, target
from otcpipe.export.target import Folder
from otcpipe.metrics import catalog, history
from otcpipe.records import Partition
from tests.audit.test_as_of import random_captures, text
from tests.export.test_export import LONG, STORED, same, stored
from tests.packaging.documents import example
from tests.support.pipeline import WEEK, drive, observe

PLACES = [Partition(WEEK + timedelta(days=7 * number), tier) for number in range(2) for tier in ("T1", "T2")]
Here = Callable[..., "subprocess.CompletedProcess[str]"]
DOCUMENT = "otcpipe/export/README.md"


class Killed(Exception):
    """The process died here."""


class Dying(Folder):
    """A folder whose writer dies before or after a step; the tests count the steps."""

    steps: list[str]
    left: list[int]

    def _step(self, name: str) -> None:
        self.left[0] -= 1
        if self.left[0] < 0:
            raise Killed(name)

    def replace(self, path: str, content: bytes) -> None:
        self._step(path)
        super().replace(path, content)
        self._step(path)

    def remove(self, path: str) -> None:
        self._step(path)
        super().remove(path)


@pytest.fixture
def moments(environment: dict[str, str]) -> list[datetime]:
    """Two weeks of two tiers, restated; the moments of the captures."""
    rng = random.Random(4)
    captures = {place: random_captures(rng, place) for place in PLACES}
    drive(*[observe(text(place, one.rows), place, one.at, "all") for place in PLACES for one in captures[place]])
    history.build(resources.database())
    return sorted({one.at for held in captures.values() for one in held})


def publish(root: target.Target) -> int:
    return lake.publish(resources.database(), root, STORED)


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def seen(root: Path) -> dict[str, bytes]:
    """What a reader of the manifest sees; a file that is missing is an error."""
    file = root / manifest.MANIFEST
    if not file.exists():
        return {}
    return {one["path"]: (root / one["path"]).read_bytes() for one in json.loads(file.read_bytes())["files"]}


def contents(root: Path) -> dict[str, bytes]:
    """What a reader sees, by paths without the number of the publication that wrote the file."""
    return without_numbers(seen(root))


def without_numbers(found: dict[str, bytes]) -> dict[str, bytes]:
    return {re.sub(r"-\d+(?=\.parquet$)", "", path): content for path, content in found.items()}


def in_polars(root: Path, table: str) -> list[dict[str, Any]]:
    names: dict[str, Any] = {"root": str(root), "table": table}
    exec(example(DOCUMENT, "python", "scan_parquet([f"), names)
    return list(names["rows"].collect().iter_rows(named=True))


def in_duckdb(root: Path, table: str) -> list[dict[str, Any]]:
    query = example(DOCUMENT, "sql", "getvariable").replace("s3://BUCKET/PREFIX", str(root))
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for statement in query.replace("symbol_summary", table).split(";")[:-2]:
            connection.execute(statement)
        found = connection.sql(query.replace("symbol_summary", table).split(";")[-2]).to_arrow_table()
    return list(pl.DataFrame(found).iter_rows(named=True))


@pytest.mark.parametrize("read", [in_polars, in_duckdb])
def test_the_lake_read_back_equals_the_tables(read: Any, moments: list[datetime], tmp_path: Path) -> None:
    assert publish(Folder(tmp_path)) > 0
    for table in STORED:
        if not stored(f"select from otc.{table}_history limit 1"):
            assert table in LONG
            continue
        rows = read(tmp_path, table)
        names = list(stored(f"select * from otc.{table}_history limit 1")[0])
        assert same(rows, names) == same(stored(f"select * from otc.{table}_history"), names), table
        columns = [name for name in stored(f"select * from otc.{table}_as_of(now()) limit 1")[0] if name in names]
        for at in random.Random(1).sample(moments, 3):
            then = [row for row in rows if row["known_from"] <= at and not (row["known_until"] or at) < at]
            then = [row for row in then if row["known_until"] != at]
            defined = stored(f"select * from otc.{table}_as_of(%s)", at)
            assert same(then, columns) == same(defined, columns), (table, at)


def test_the_same_data_gives_the_same_bytes_and_only_what_changed_is_written(
    moments: list[datetime], tmp_path: Path
) -> None:
    publish(Folder(tmp_path / "one"))
    publish(Folder(tmp_path / "two"))
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert publish(Folder(tmp_path / "one")) == 0
    restate(moments)
    assert 0 < publish(Folder(tmp_path / "one")) < len(files(tmp_path / "two"))
    assert publish(Folder(tmp_path / "one")) == 0
    publish(Folder(tmp_path / "three"))
    assert contents(tmp_path / "one") == contents(tmp_path / "three")
    assert {*files(tmp_path / "one")} == {*seen(tmp_path / "one"), manifest.MANIFEST}


def restate(moments: list[datetime]) -> None:
    later = random_captures(random.Random(9), PLACES[2])[-1]
    drive(observe(text(PLACES[2], later.rows), PLACES[2], moments[-1] + timedelta(days=1), "all"))
    history.build(resources.database())


def test_killed_at_any_point_a_reader_sees_the_old_or_the_new(moments: list[datetime], tmp_path: Path) -> None:
    publish(Folder(tmp_path / "lake"))
    old = contents(tmp_path / "lake")
    restate(moments)
    publish(Folder(tmp_path / "expected"))
    new = contents(tmp_path / "expected")
    assert old != new
    for steps in _until_done():
        dying = Dying(tmp_path / "lake")
        object.__setattr__(dying, "left", [steps])
        try:
            publish(dying)
        except Killed:
            assert contents(tmp_path / "lake") in (old, new)
        else:
            break
    assert contents(tmp_path / "lake") == new
    assert steps > 3


def _until_done() -> Iterator[int]:
    yield from range(1000)


def test_the_command_publishes_to_the_object_store(
    moments: list[datetime], here: Here, tmp_path: Path, environment: dict[str, str]
) -> None:
    place = f"s3://{resources.settings()['S3_BUCKET']}/lake/{tmp_path.name}-{environment['OTCPIPE_S3_PREFIX'][-8:]}"
    published = here("publish", "--to", place, "symbol_summary")
    assert published.returncode == 0 and f"written to {place}" in published.stdout
    again = here("publish", OTCPIPE_PUBLISH=place)
    assert again.returncode == 0
    assert "is up to date" in here("publish", OTCPIPE_PUBLISH=place).stdout
    lake.publish(resources.database(), Folder(tmp_path / "folder"), catalog.stored())
    bucket = target.of(place, resources.settings())
    in_bucket = {path: bucket.read(path) or b"" for path in bucket.paths() if path != manifest.MANIFEST}
    assert without_numbers(in_bucket) == contents(tmp_path / "folder")


@pytest.mark.parametrize(
    "place", ["", "s3://", "s3://bucket", "s3://otcpipe/../x", "gs://bucket/x", "s3://no-such/x"]
)
def test_a_wrong_target_is_refused(place: str, environment: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        target.of(place, resources.settings())


def test_what_was_captured_is_never_a_target(environment: dict[str, str]) -> None:
    settings = resources.settings()
    with pytest.raises(Invalid, match="keeps what it captured"):
        target.of(f"s3://{settings['S3_BUCKET']}/{settings['S3_PREFIX']}/raw", settings)


def test_two_publications_at_once_are_refused(moments: list[datetime], tmp_path: Path) -> None:
    with resources.database().transaction() as transaction:
        assert transaction.rows("try_publish")[0]["is_locked"]
        with pytest.raises(TooSoon, match="Another publication"):
            publish(Folder(tmp_path))


def test_files_of_others_stay(moments: list[datetime], tmp_path: Path) -> None:
    """The folder may hold exports, and whatever else ends with the same suffix."""
    others = ("own.parquet", "symbol_summary_history/week_ending=2025-11-14/symbol_summary_history.parquet")
    for path in others:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"mine")
    publish(Folder(tmp_path))
    restate(moments)
    publish(Folder(tmp_path))
    publish(Folder(tmp_path))
    assert [(tmp_path / path).read_bytes() for path in others] == [b"mine"] * 2
    assert len(files(tmp_path)) == len(seen(tmp_path)) + len(others) + 1


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"files": [{"path": "x"}]}', b'{"files": 1}', b"\xff"])
def test_a_manifest_of_another_program_is_refused_and_stays(
    content: bytes, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / manifest.MANIFEST).write_bytes(content)
    with pytest.raises(Invalid, match="not that of a lake"):
        publish(Folder(tmp_path))
    assert files(tmp_path) == {manifest.MANIFEST: content}
