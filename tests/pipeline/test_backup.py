"""A copy elsewhere holds all that cannot be computed again, is checked byte by byte, and brings everything back."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe import resources, settings
from otcpipe.errors import Damaged, Invalid
from otcpipe.export.target import Folder
from otcpipe.pipeline.backup import copies, inventory
from otcpipe.records import Partition
from otcpipe.stack import start_servers
from otcpipe.storage import gz, keys, objects
from otcpipe.storage.keys import sha256
from otcpipe.storage.s3 import ObjectStore
from tests.conftest import READY
from tests.pipeline.test_rebuild import history, lose, settle
from tests.pipeline.volumes.samples import market_file, traded
from tests.support.pipeline import NOON, WEEK, api_text, drive, observe
from tests.support.tables import all_tables, differences
from tests.support.warm import WarmProcess

Sql = Callable[..., list[tuple[Any, ...]]]
Here = Callable[..., "subprocess.CompletedProcess[str]"]
T1 = Partition(WEEK, "T1")


def prefix() -> str:
    return resources.settings()["S3_PREFIX"]


def kept() -> list[str]:
    return inventory.kept(resources.store(), prefix())


def key_of(kind: str, extension: str = "psv.gz") -> str:
    return next(key for key in kept() if f"/{kind}/" in key and key.endswith(extension))


@pytest.fixture
def one_week(environment: dict[str, str]) -> None:
    drive(observe(api_text([{}], T1), T1, NOON, "all"))


@pytest.fixture
def market(tmp_path: Path) -> Path:
    path = tmp_path / "market.csv"
    path.write_text(market_file(traded(WEEK - timedelta(days=4), WEEK)))
    return path


def test_a_copy_alone_brings_back_every_table_of_a_history_with_restatements_and_holds(
    sql: Sql, here: Here, workers: Callable[..., WarmProcess], tmp_path: Path, market: Path
) -> None:
    for step in history():
        step()
    settle(sql)
    assert here("import-market", market).returncode == 0
    settle(sql)
    before, there = all_tables(sql), tmp_path / "copy"
    done = here("backup", "--to", there)
    assert (done.returncode, f"{there}: 42 objects copied" in done.stdout) == (0, True), done.stderr
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=there, check=False)
    assert checked.returncode == 0
    lose(sql)
    for key in resources.store().keys(f"{prefix()}/"):
        resources.store().discard(key)
    sql("drop schema otc, otc_internal cascade")
    workers()
    restored = here("rebuild", "--from", there)
    assert "42 objects restored" in restored.stdout
    assert restored.stderr == "otcpipe: 1 of 7 partitions failed or are held.\n", "as it was before"
    settle(sql)
    assert differences(all_tables(sql), before) == {}
    assert here("backup", "--check", "--to", there).returncode == 0


def test_a_second_copy_takes_only_what_is_new_and_derived_objects_are_in_none(
    one_week: None, here: Here, tmp_path: Path
) -> None:
    assert here("backup", "--to", tmp_path / "copy").returncode == 0
    names = {
        path.relative_to(tmp_path / "copy").parts[len(prefix().split("/"))] for path in _files(tmp_path / "copy")
    }
    assert names == {"fetched", "raw"}
    assert "nothing was new; it holds 3 objects" in here("backup", "--to", tmp_path / "copy").stdout
    drive(observe(api_text([{"MPID": "BBBB"}], T1), T1, NOON + timedelta(days=1), "all"))
    [row] = json.loads(here("backup", "--json", OTCPIPE_BACKUP=str(tmp_path / "copy")).stdout)
    assert (row["new"], row["objects"], row["problems"]) == (3, 6, [])


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and path.name != copies.SUMS)


def test_a_copy_that_was_interrupted_goes_on_and_a_lost_file_of_it_is_copied_again(
    one_week: None, tmp_path: Path, here: Here
) -> None:
    folder = Folder(tmp_path)
    copies.copy(resources.store(), prefix(), folder, "copy")
    (tmp_path / copies.SUMS).unlink()  # as if it was ended before its list
    (tmp_path / key_of("raw")).write_bytes(b"half")
    assert copies.copy(resources.store(), prefix(), folder, "copy").new == 3
    (tmp_path / key_of("raw")).unlink()
    found = here("backup", "--check", "--to", tmp_path)
    assert (found.returncode, f"{key_of('raw')} is missing in the copy." in found.stdout) == (1, True)
    assert copies.copy(resources.store(), prefix(), folder, "copy").new == 1
    assert copies.check(resources.store(), prefix(), folder, "copy").problems == []


def test_a_check_finds_what_is_missing_or_changed_in_the_bucket_and_the_copy_brings_it_back(
    one_week: None, here: Here, tmp_path: Path, sql: Sql
) -> None:
    there, store = tmp_path / "copy", resources.store()
    assert here("backup", "--to", there).returncode == 0
    lost, manifest, changed = key_of("fetched"), key_of("fetched", "json"), key_of("raw")
    store.discard(lost)
    store.replace(changed, gz.compress(b"other"))  # right by its own SHA-256, wrong by that in its key
    checked = here("backup", "--check")
    assert checked.returncode == 1
    assert f"{lost} is missing: {manifest} names it." in checked.stdout
    assert f"{changed} does not match the SHA-256 in its key." in checked.stdout
    store.discard(manifest)
    assert f"{manifest} is missing: PostgreSQL knows it." in here("backup", "--check").stdout
    found = copies.restore(store, prefix(), Folder(there), "copy")
    assert (found.new, found.problems) == (3, [])
    assert inventory.check(resources.database(), store, prefix()).problems == []
    sql("drop schema otc, otc_internal cascade")
    assert here("backup", "--check").returncode == 0


class SlowFolder(Folder):
    """A copy whose large objects take longer than its manifests."""

    def read(self, path: str) -> bytes | None:
        time.sleep(0.3 * path.endswith(".gz"))
        return super().read(path)


class Watched(ObjectStore):
    """A bucket that notes which manifests appear before the bytes that they name, as a worker may see them."""

    def __init__(self, chosen: settings.Settings) -> None:
        super().__init__(chosen)
        self.early: list[str] = []

    def put_once(self, key: str, content: bytes) -> bool:
        if key.endswith(".json"):
            named = [place for kind in ("fetched", "raw") for place in kept_by_kind(key, content, kind)]
            self.early += [key for place in named if not self.exists(place)]
        return super().put_once(key, content)


def kept_by_kind(key: str, content: bytes, kind: str) -> list[str]:
    return [str(keys.parse(key, prefix()).sibling(kind, objects.manifest(content).digest, "psv.gz"))]


def test_no_manifest_is_restored_before_the_bytes_that_it_names(one_week: None, here: Here, tmp_path: Path) -> None:
    assert here("backup", "--to", tmp_path).returncode == 0
    store = Watched(resources.settings())
    for key in kept():
        store.discard(key)
    assert copies.restore(store, prefix(), SlowFolder(tmp_path), "copy").new == 3
    assert (store.early, len(kept())) == ([], 3)


def test_what_died_for_want_of_an_object_is_run_again_once_a_copy_brought_it_back(
    one_week: None, here: Here, tmp_path: Path, sql: Sql, workers: Callable[..., WarmProcess]
) -> None:
    before = all_tables(sql)
    assert here("backup", "--to", tmp_path).returncode == 0
    sql("drop schema otc, otc_internal cascade")
    for key in resources.store().keys(f"{prefix()}/"):
        if key.endswith(".gz"):
            resources.store().discard(key)
    workers()
    alone = here("rebuild")
    assert (alone.returncode, "1 failed" in alone.stdout, "It cannot be rebuilt." in alone.stdout) == (1, True, True)
    done = here("rebuild", "--from", tmp_path)
    assert (done.returncode, "1 done" in done.stdout) == (0, True), done.stdout + done.stderr
    settle(sql)
    assert differences(all_tables(sql), before) == {}


def test_what_is_damaged_in_the_bucket_is_never_copied_and_what_is_damaged_in_the_copy_is_never_restored(
    one_week: None, here: Here, tmp_path: Path
) -> None:
    store, changed = resources.store(), key_of("raw")
    right = store.get(changed)
    store.replace(changed, gz.compress(b"other"))
    done = here("backup", "--to", tmp_path / "copy")
    assert (done.returncode, changed in done.stdout) == (1, True)
    assert not (tmp_path / "copy" / changed).exists()
    store.replace(changed, right)
    assert here("backup", "--to", tmp_path / "copy").returncode == 0
    (tmp_path / "copy" / changed).write_bytes(gz.compress(b"other"))
    store.discard(changed)
    refused = here("rebuild", "--from", tmp_path / "copy")
    assert (refused.returncode, "the tables were not rebuilt" in refused.stderr) == (1, True)
    assert "`otcpipe rebuild` alone rebuilds them from what the bucket has" in refused.stderr
    kept = [*inventory.kept(store, resources.settings()["S3_PREFIX"])]
    assert f"it holds {len(kept)} objects" in refused.stdout
    assert not store.exists(changed)


def test_a_copy_on_another_server_is_written_with_its_own_keys(
    one_week: None, here: Here, tmp_path: Path, environment: dict[str, str]
) -> None:
    others = {name: environment[name] for name in ("OTCPIPE_DATABASE_URL", "OTCPIPE_REDIS_URL")}
    other = start_servers(tmp_path / "other", durable=False, environ=others, ready=READY)
    try:
        found = other.environment
        keys = {
            f"OTCPIPE_BACKUP_S3_{name}": found[f"OTCPIPE_S3_{name}"]
            for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY")
        }
        bucket = f"s3://{found['OTCPIPE_S3_BUCKET']}/{prefix()}"  # the same names, but elsewhere
        assert "There is no bucket" in here("backup", "--to", "s3://missing/copy", **keys).stderr
        done = here("backup", "--to", bucket, **keys)
        assert (done.returncode, "3 objects copied" in done.stdout) == (0, True), done.stderr
        assert here("backup", "--check", "--to", bucket, **keys).returncode == 0
        assert here("backup", "--to", bucket).returncode == 2, "without them it is the bucket itself"
        for key in kept():
            resources.store().discard(key)
        planned = here("rebuild", "--from", bucket, "--dry-run", **keys)
        assert planned.returncode == 0
        assert "the copy holds 3 objects." in planned.stdout
        assert "With the copy, S3 holds 1 observation, 0 decisions and 0 imported files" in planned.stdout
        assert not kept()
        wrong = here("backup", "--to", bucket, **keys | {"OTCPIPE_BACKUP_S3_SECRET_KEY": "s3cr3t-but-wrong"})
        assert (wrong.returncode, "s3cr3t" in wrong.stderr) == (3, False)
    finally:
        other.stop(quick=True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["backup"], "Say where to"),
        (["backup", "--to", "ftp://host/x"], "is neither a folder nor s3://BUCKET/PREFIX"),
        (["backup", "--to", "s3://bucket"], "lacks a bucket or a prefix"),
        (["backup", "--check", "--to", "/nonexistent"], "is not a copy: it has no SHA256SUMS"),
        (["rebuild", "--from", "/nonexistent"], "is not a copy: it has no SHA256SUMS"),
        (["backup", "--to", "/proc/nothing"], "cannot be written"),
        (["backup", "--to", "/etc/passwd"], "cannot be written: Not a directory"),
        (["backup", "--check", "--to", "/etc/passwd"], "is not a copy: it has no SHA256SUMS"),
    ],
)
def test_a_wrong_place_is_refused_in_a_sentence(
    one_week: None, here: Here, arguments: list[str], sentence: str
) -> None:
    done = here(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_copy_of_another_prefix_is_refused_by_its_name(one_week: None, here: Here, tmp_path: Path) -> None:
    assert here("backup", "--to", tmp_path).returncode == 0
    refused = here("rebuild", "--from", tmp_path, OTCPIPE_S3_PREFIX="other/place")
    assert (refused.returncode, "set OTCPIPE_S3_PREFIX" in refused.stderr) == (2, True)
    assert prefix() in refused.stderr


def test_a_list_that_leaves_its_folder_is_refused_and_so_is_such_a_key(one_week: None, tmp_path: Path) -> None:
    (tmp_path / copies.SUMS).write_text(f"{'0' * 64}  {prefix()}/raw/../../../../outside\n")
    with pytest.raises(Invalid, match="SHA256SUMS of the copy is damaged"):
        copies.restore(resources.store(), prefix(), Folder(tmp_path), "copy")
    with pytest.raises(Damaged, match="is not a key"):
        inventory.prove("finra/otc/raw/../../../outside", b"")


@given(content=st.binary(max_size=2000), other=st.binary(max_size=2000))
def test_only_the_bytes_that_a_key_names_prove_it(content: bytes, other: bytes) -> None:
    key = f"finra/otc/raw/T1/2024-01-05/{sha256(content)}.psv.gz"
    inventory.prove(key, gz.compress(content))
    if other != content:
        with pytest.raises(Damaged):
            inventory.prove(key, gz.compress(other))
    with pytest.raises(Damaged):
        inventory.prove(key, gz.compress(content)[:-1])
