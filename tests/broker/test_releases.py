"""Workers of two releases side by side: the one that is older than the schema waits, says so and loses nothing."""

import os
import shlex
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.audit.verify import verify
from otcpipe.broker import actors
from otcpipe.broker.queues import Queues
from otcpipe.cli.commands.command import Change
from otcpipe.errors import Outdated, Unreachable, Unready
from otcpipe.pipeline import claims, execution, ledger, oddities
from otcpipe.records import Partition, StageResult
from otcpipe.schedule import fires
from otcpipe.storage import sql as sql_files
from tests.cli.test_help import COMMANDS
from tests.conftest import DATA, kill
from tests.support.pipeline import NOON, WEEK, carrier, drive, file_text, observe
from tests.support.warm import WarmProcess

Sql = Callable[..., list[tuple[Any, ...]]]
Here = Callable[..., "subprocess.CompletedProcess[str]"]
OLD_RELEASE = DATA / "otcpipe-0.1.0-py3-none-any.whl"
FILES = sorted(DATA.glob("finra_otc_weekly_otc_*.csv.gz"))
LATER = "insert into otc.migration (name) values ('9999_of_a_later_release')"
BACK = "delete from otc.migration where name = '9999_of_a_later_release'"


@pytest.fixture
def of_old_release(environment: dict[str, str], tmp_path: Path) -> dict[str, Any]:
    """How a process runs in release 0.1.0: its folder and its variables."""
    zipfile.ZipFile(OLD_RELEASE).extractall(tmp_path / "old")
    known = {name: text for name, text in (os.environ | environment).items() if "BACKUP" not in name}
    return {
        "cwd": tmp_path / "old",
        "env": known | {"PYTHONPATH": str(tmp_path / "old"), "PYTHONWARNINGS": "ignore"},
    }


@pytest.fixture
def old_worker(of_old_release: dict[str, Any], tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """Starts a worker of release 0.1.0, and gives its log."""
    running: list[subprocess.Popen[bytes]] = []

    def start() -> Path:
        log = tmp_path / "old.log"
        command = [sys.executable, "-m", "dramatiq", "actors", "--processes", "1", "--threads", "2"]
        with log.open("wb") as stream:
            running.append(
                subprocess.Popen(
                    command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True, **of_old_release
                )
            )
        return log

    yield start
    for process in running:
        kill(process)


def wait_for(is_so: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def states(sql: Sql) -> set[tuple[str, str]]:
    return {*sql("select stage, state from otc.stage_run")}


def is_done(sql: Sql) -> bool:
    return sql("select count(*) from otc.stage_run where stage = 'compute' and state = 'done'") == [(2,)]


@pytest.mark.timeout(600)
def test_a_worker_of_release_0_1_0_beside_the_new_schema_waits_and_a_new_worker_does_its_work(
    old_worker: Callable[[], Path], workers: Callable[..., WarmProcess], here: Here, sql: Sql
) -> None:
    log = old_worker()
    for file in FILES:
        assert here("import", file).returncode == 0
    wait_for(lambda: log.read_text().count("a newer release of otcpipe migrated the database") > 3)
    assert states(sql) == {("cache", "queued")}
    workers()
    wait_for(lambda: is_done(sql), 500)  # the old worker takes half of the messages, and sends them again ever later
    assert {state for _, state in states(sql)} == {"done"}
    assert sql("select count(*) from otc.dead_letter") == [(0,)]
    verdicts = list(verify(resources.database(), resources.store(), resources.settings()["S3_PREFIX"], None))
    assert [finding for verdict in verdicts for finding in verdict.findings] == []


def test_a_worker_takes_no_message_while_a_later_release_s_schema_is_applied(
    workers: Callable[..., WarmProcess], sql: Sql, environment: dict[str, str], tmp_path: Path
) -> None:
    workers()
    queues = Queues(environment["OTCPIPE_REDIS_URL"])
    wait_for(lambda: all(queue.consumers for queue in queues.all().values()))
    run = observe(file_text([("ABC", "AAAA", 100, 1)]), Partition(WEEK, "OTCE"))
    sql(LATER)
    log = tmp_path / "worker0.log"
    wait_for(lambda: "A newer release of otcpipe migrated the database (9999_of_a_later_release)" in log.read_text())
    actors.send(run)
    time.sleep(2)
    queue = queues.all()["cache"]
    # two wait if the worker had found the run as a lost one; one is delayed if it was taken at the last moment
    assert (queue.waiting + queue.delayed >= 1, queue.in_hand) == (True, 0)
    # running, with a lease that ends, if it was taken at the last moment
    assert states(sql) <= {("cache", "queued"), ("cache", "running")}
    sql(BACK)
    wait_for(lambda: sql("select 1 from otc.stage_run where stage = 'compute' and state = 'done'"))
    assert sql("select max(attempts) from otc.stage_run") == [(1,)]


@pytest.mark.parametrize("arguments", [["migrate"], ["reconcile", "--stale"], ["enqueue", "--week", "2025-11-14"]])
def test_commands_of_release_0_1_0_change_nothing_in_the_new_schema(
    arguments: list[str], of_old_release: dict[str, Any], sql: Sql
) -> None:
    drive(observe(file_text([("ABC", "AAAA", 100, 1)]), Partition(WEEK, "OTCE")))
    sql("update otc.stage_run set code_version = 99 where stage = 'compute'")  # of which it knows another
    before = stored(sql)
    command = [sys.executable, "-m", "otcpipe", *arguments]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, **of_old_release)
    assert refused.returncode in (1, 3)
    assert "a newer release of otcpipe migrated the database" in refused.stderr or arguments == ["migrate"]
    assert stored(sql) == before


@pytest.mark.usefixtures("environment")
def test_a_worker_that_has_a_message_when_a_later_release_migrates_leaves_it_to_others(sql: Sql) -> None:
    run = observe(file_text([("ABC", "AAAA", 100, 1)]), Partition(WEEK, "OTCE"))
    sql(LATER)
    sent: list[float] = []
    with pytest.raises(Outdated):
        claims.claim(resources.database(), run)
    carrier(lambda run, seconds: sent.append(seconds)).execute(run, lambda run: StageResult(None))
    assert sent == [execution.OUTAGE_SECONDS]
    assert states(sql) == {("cache", "queued")}


def test_an_older_release_neither_migrates_nor_rebuilds_and_says_why(here: Here, sql: Sql) -> None:
    sql(LATER)
    sql("create or replace function otc_internal.create_quarter(week date) returns void language sql as 'select'")
    before = sql("select prosrc from pg_proc where proname = 'create_quarter'")
    for command in (["migrate"], ["rebuild"]):
        refused = here(*command)
        assert refused.returncode == 2
        assert "A newer release of otcpipe migrated the database (9999_of_a_later_release)" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    assert sql("select prosrc from pg_proc where proname = 'create_quarter'") == before
    assert "9999_of_a_later_release" in here("doctor").stdout


def stored(sql: Sql) -> list[tuple[str, list[str]]]:
    """All rows of all tables, and all objects."""
    tables = sql(
        "select oid::regclass::text from pg_class where relkind = 'r' and oid::regclass::text like 'otc%%' order by 1"
    )
    rows = [
        (name, sorted(str(row) for row in sql(f"select t::text, xmin::text from {name} as t"))) for (name,) in tables
    ]
    return [*rows, ("objects", [*resources.store().keys(resources.settings()["S3_PREFIX"])])]


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if isinstance(command, Change)])
def test_no_command_of_an_older_release_changes_anything(name: str, here: Here, sql: Sql) -> None:
    drive(observe(file_text([("ABC", "AAAA", 100, 1)]), Partition(WEEK, "OTCE")))
    sql(LATER)
    before = stored(sql)
    refused = here(*shlex.split(COMMANDS[name].examples[0])[1:])
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)
    assert "A newer release of otcpipe migrated the database (9999_of_a_later_release)" in refused.stderr
    assert stored(sql) == before


@pytest.mark.usefixtures("environment")
def test_the_database_refuses_requests_and_fires_of_an_older_release_and_lets_people_through(sql: Sql) -> None:
    run = observe(file_text([("ABC", "AAAA", 100, 1)]), Partition(WEEK, "OTCE"))
    sql(LATER)
    again = replace(run, request="again")
    for asked in (
        lambda: ledger.request(resources.database(), again),
        lambda: oddities.drop_impossible_runs(resources.database(), NOON),
        lambda: fires.begin(resources.database(), NOON),
        lambda: _persisted("update otc.capture set persisted_at = now()"),
    ):
        with pytest.raises(Unreachable, match="a newer release of otcpipe migrated the database"):
            asked()
    assert sql("select request from otc.stage_run") == [(None,)]
    sql("update otc.stage_run set queued_at = now()")
    sql(BACK)
    assert ledger.request(resources.database(), run) == run


def _persisted(statement: str) -> None:
    """Do what a run does at its end that was claimed before the later release migrated the database."""
    with resources.database().transaction() as transaction:
        transaction.connection.execute(statement.encode())


@pytest.mark.usefixtures("environment")
def test_a_worker_that_is_newer_than_the_schema_waits_until_it_is_migrated(sql: Sql) -> None:
    run = observe(file_text([("ABC", "AAAA", 100, 1)]), Partition(WEEK, "OTCE"))
    sql("delete from otc.migration where name = %s", sql_files.release())
    with pytest.raises(Unready, match=r"The database lacks 00.*: run `otcpipe migrate`"):
        claims.claim(resources.database(), run)
