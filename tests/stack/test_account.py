"""PostgreSQL, started by root."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from otcpipe.errors import StackFailed
from otcpipe.stack import account, start_servers
from tests.stack.conftest import READY, inside

EXTERNAL = {"OTCPIPE_REDIS_URL": "redis://elsewhere", "OTCPIPE_S3_ENDPOINT": "http://elsewhere"}
by_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has this problem")


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A home below directories that everybody may pass."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


def row_after_start(home: Path) -> tuple[tuple[int, ...] | None, set[int]]:
    """A row counted up at each start, and the user ids of all the server's processes."""
    supervisor = start_servers(home, durable=False, environ=EXTERNAL, ready=READY)
    try:
        with psycopg.connect(supervisor.environment["OTCPIPE_DATABASE_URL"]) as connection:
            connection.execute("create table if not exists starts (n int)")
            connection.execute("insert into starts values (1)")
            users = {Path(f"/proc/{pid}").stat().st_uid for pid in inside(home)}
            return connection.execute("select count(*) from starts").fetchone(), users
    finally:
        supervisor.stop()


@by_root
def test_it_runs_in_a_user_namespace_with_files_of_root(open_home: Path) -> None:
    assert row_after_start(open_home) == ((1,), {0})


@by_root
def test_without_namespaces_it_runs_as_the_user_nobody_if_that_can_access_everything(
    open_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert row_after_start(open_home) == ((1,), {account.NOBODY})
    assert (open_home / "postgres" / "cluster").stat().st_uid == account.NOBODY


@by_root
def test_a_cluster_follows_when_the_way_to_run_it_changes(open_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert row_after_start(open_home) == ((1,), {0})
    with monkeypatch.context() as without_namespaces:
        without_namespaces.setattr("shutil.which", lambda name: None)
        assert row_after_start(open_home) == ((2,), {account.NOBODY})
    assert row_after_start(open_home) == ((3,), {0})


@by_root
def test_where_neither_way_works_the_error_names_the_fixes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(StackFailed, match="another user.*chmod o.x.*OTCPIPE_DATABASE_URL"):
        account.choose(Path("/bin/true"), tmp_path)
