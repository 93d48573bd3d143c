"""A publication that is paused while another one replaces its manifest, and goes on after that."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.errors import OtcpipeError, TooSoon
from otcpipe.export import manifest, target
from otcpipe.export.target import Folder
from otcpipe.metrics import history
from otcpipe.records import Partition
from tests.export.test_export import STORED
from tests.export.test_lake import contents, publish, seen
from tests.metrics.test_history import withdraw
from tests.support.pipeline import NOON, WEEK, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
OTCE = Partition(WEEK, "OTCE")
DAY = timedelta(days=1)


def capture(day: int, shares: int) -> None:
    drive(observe(file_text([("ABC", "AAAA", shares, 5), ("DEF", "AAAA", 70, 3)]), OTCE, NOON + day * DAY))
    history.build(resources.database())


def lose_lock(sql: Sql) -> None:
    """End the connection that holds the publisher's lock, as the server does if a machine sleeps."""
    ended = sql(
        "select pg_terminate_backend(l.pid, 5000) from pg_locks as l where l.locktype = 'advisory' and l.granted"
        " and l.database = (select oid from pg_database where datname = current_database())"
    )
    assert ended


def paused(place: target.Target, step: str, meanwhile: Callable[[], None]) -> Any:
    """The target for a writer that is paused once, before a step, while something else happens."""
    waiting = [meanwhile]

    class Paused:
        def __getattr__(self, name: str) -> Any:
            real = getattr(place, name)

            def go_on(*values: Any) -> Any:
                if waiting:
                    waiting.pop()()
                return real(*values)

            return go_on if name == step else real

    return Paused()


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path) -> target.Target:
    bucket = f"s3://{resources.settings()['S3_BUCKET']}/lake/{environment['OTCPIPE_S3_PREFIX'][-8:]}"
    return target.of(str(tmp_path / "lake") if request.param == "folder" else bucket, resources.settings())


def read(place: target.Target, root: Path) -> dict[str, bytes]:
    """What a reader of the manifest sees; a file that is missing is an error."""
    for path in place.paths():
        Folder(root).replace(path, place.read(path) or b"")
    return contents(root)


def expected(root: Path) -> dict[str, bytes]:
    publish(Folder(root))
    return contents(root)


@pytest.mark.parametrize("step", ["put", "swap"])
def test_paused_before_the_manifest_it_replaces_nothing_newer(
    step: str, place: target.Target, sql: Sql, tmp_path: Path
) -> None:
    capture(0, 500)
    publish(place)
    capture(1, 600)

    def meanwhile() -> None:
        lose_lock(sql)
        capture(2, 700)
        publish(place)

    with pytest.raises(OtcpipeError):
        publish(paused(place, step, meanwhile))
    newest = expected(tmp_path / "expected")
    assert read(place, tmp_path / "read") == newest
    publish(place)
    assert read(place, tmp_path / "again") == newest


def test_paused_before_it_removes_files_it_removes_none_that_a_newer_manifest_names(
    place: target.Target, sql: Sql, tmp_path: Path
) -> None:
    """The week returns to an older state, whose files the publication is still to remove."""
    capture(0, 500)
    publish(place)
    original = expected(tmp_path / "original")
    capture(1, 600)
    publish(place)
    capture(2, 700)

    def meanwhile() -> None:
        lose_lock(sql)
        for (key,) in sql("select fetched_key from otc.capture order by observed_at offset 1"):
            withdraw(sql, key, OTCE, NOON + 3 * DAY)
        history.build(resources.database())
        assert publish(place)

    with pytest.raises(OtcpipeError):
        publish(paused(place, "remove", meanwhile))
    assert read(place, tmp_path / "read") == original


def test_while_a_manifest_is_replaced_no_other_process_replaces_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Paused between the check and the write in a folder: the other publication waits."""
    capture(0, 500)
    seen_by_other = []

    class Paused(Folder):
        def replace(self, path: str, content: bytes) -> None:
            if path == manifest.MANIFEST:
                seen_by_other.append(Folder(tmp_path).swap(path, b"newer", None))
            super().replace(path, content)

    publish(Paused(tmp_path))
    assert seen_by_other == [False]
    assert {path.partition("_history/")[0] for path in seen(tmp_path)} <= set(STORED)


def test_a_writer_that_was_paused_in_a_file_leaves_the_file_of_the_other(tmp_path: Path) -> None:
    whole = b"whole" * 1000

    def stopped(descriptor: int) -> None:
        with pytest.MonkeyPatch.context() as flushed:
            flushed.setattr(os, "fsync", lambda descriptor: None)
            Folder(tmp_path).replace("file", whole)

    with pytest.MonkeyPatch.context() as flushed, pytest.raises(TooSoon, match="Another process"):
        flushed.setattr(os, "fsync", stopped)
        Folder(tmp_path).replace("file", b"paused")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": whole}
