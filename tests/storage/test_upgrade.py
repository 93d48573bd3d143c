"""Upgrade a database of release 0.1.0 to the schema of a new one, with its records, captures and metrics."""

import gzip
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from otcpipe import resources
from otcpipe.audit.verify import verify
from otcpipe.errors import Unready
from otcpipe.metrics import definitions
from otcpipe.pipeline import definition
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.stack import Supervisor, binaries
from otcpipe.storage import gz, keys
from otcpipe.storage import sql as statements
from tests.conftest import DATA, place
from tests.support.pipeline import drive

DUMP = DATA / "otcpipe-0.1.0.sql.gz"
OBJECTS = DATA / "otcpipe-0.1.0-objects.tar.gz"
PREFIX = "release-0.1.0"
FILES = sorted(DATA.glob("finra_otc_weekly_otc_*.csv.gz"))
WEEKS = [Partition(date(2025, 11, 14), "OTCE"), Partition(date(2025, 11, 21), "OTCE")]
CHOSEN_BY_THE_SERVER = re.compile(r"^\\(?:un)?restrict .*$|CONSTRAINT \w+ (?=NOT NULL)", re.MULTILINE)


def run(program: str, *arguments: str, text: bytes = b"") -> str:
    command = [str(binaries.postgres() / program), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def schema(url: str) -> str:
    """The definitions of all objects, without what the server chose by itself: names of not-null constraints."""
    dumped = run("pg_dump", "-s", "--no-owner", "--no-privileges", url)
    return CHOSEN_BY_THE_SERVER.sub("", dumped)


@pytest.fixture
def old(servers: Supervisor, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The database of release 0.1.0, and the observations of its store."""
    with place(servers, tmp_path / "home", OTCPIPE_S3_PREFIX=PREFIX) as variables:
        query("drop schema otc, otc_internal cascade")
        url = variables["OTCPIPE_DATABASE_URL"]
        run("psql", "-q", "-v", "ON_ERROR_STOP=1", url, text=gzip.decompress(DUMP.read_bytes()))
        put_observations()
        yield variables


def put_observations() -> None:
    with tarfile.open(OBJECTS) as archive:
        for member in archive:
            stored = archive.extractfile(member)
            assert stored is not None
            put(member.name, stored.read())
    for partition, path in zip(WEEKS, FILES, strict=True):
        content = gzip.decompress(path.read_bytes())
        key = keys.of_partition(PREFIX, partition).sibling("fetched", keys.sha256(content), "psv.gz")
        put(str(key), gz.compress(content))


def observed() -> list[str]:
    return [key for key in resources.store().keys(f"{PREFIX}/fetched/") if key.endswith(".json")]


def put(key: str, content: bytes) -> None:
    """Store an observation's object, and the raw object that is the same."""
    resources.store().put_once(key, content)
    if key.endswith(".psv.gz"):
        resources.store().put_once(key.replace("/fetched/", "/raw/"), content)


def query(text: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(os.environ["OTCPIPE_DATABASE_URL"], autocommit=True) as connection:
        cursor = connection.execute(text.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


METRICS = ("average_print_price", "symbol_concentration", "symbol_rolling_avg", "symbol_summary", "venue_share")
QUARTER = "select otc_internal.create_quarter('2025-11-14')"
KEPT = {
    "records": "select count(*), count(ended_by), sum(share_volume)::bigint from otc.volume_record",
    "captures": "select count(*), sum(records)::bigint from otc.capture where persisted_at is not null",
    "runs": "select count(*) from otc.stage_run where state = 'done'",
    "letters": "select letter_id, state, reason from otc.letter",
    "accepted": "select week_ending::text, tier, reason from otc.acceptance",
    **{metric: f"select count(*) from otc.{metric}" for metric in METRICS},
}


def test_a_database_of_release_0_1_0_ends_with_the_schema_of_a_new_one(
    old: dict[str, str], servers: Supervisor, tmp_path: Path
) -> None:
    url = old["OTCPIPE_DATABASE_URL"]
    before = {name: query(text) for name, text in KEPT.items()}
    assert before["records"] == [(10533, 2, 2279803771)]
    later = [name for name, _ in statements.migrations()[1:]]
    assert resources.database().migrate() == [*(name for name, _ in statements.upgrades()), *later]
    assert {name: query(text) for name, text in KEPT.items()} == before
    assert resources.database().migrate() == []
    upgraded = schema(url)
    with place(servers, tmp_path / "new") as new:
        query(QUARTER)
        assert upgraded == schema(new["OTCPIPE_DATABASE_URL"])


def test_an_upgraded_database_holds_what_follows_from_its_observations(old: dict[str, str]) -> None:
    definitions.migrate(resources.database())
    drive(*(replace(Run(definition.named("cache"), keys.parse(key, PREFIX)), request="again") for key in observed()))
    verdicts = list(verify(resources.database(), resources.store(), PREFIX, None))
    assert len(verdicts) == 5
    assert [finding for verdict in verdicts for finding in verdict.findings] == []


def test_a_database_older_than_release_0_1_0_is_refused_with_what_to_do(old: dict[str, str]) -> None:
    query("delete from otc.migration where name = '0011_sums_side_by_side'")
    with pytest.raises(Unready, match=r"before 0\.1\.0.*`otcpipe migrate` and `otcpipe rebuild`"):
        resources.database().migrate()
    assert query("select to_regclass('otc.capture') is not null") == [(True,)]
