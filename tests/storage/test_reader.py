"""The role that only reads: what it can do, tested as that role."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from otcpipe import resources
from otcpipe.metrics import history
from otcpipe.records import Partition
from otcpipe.stack import binaries
from otcpipe.storage import sql as files
from tests.support.pipeline import NOON, WEEK, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
PASSWORD = "pass/word @1"


def url_of(environment: dict[str, str], password: str) -> str:
    parts = urlsplit(environment["OTCPIPE_DATABASE_URL"])
    return psycopg.conninfo.make_conninfo(
        host=parts.hostname, port=parts.port, dbname=parts.path[1:], user="otcpipe_reader", password=password
    )


@pytest.fixture
def reader(here: Run, environment: dict[str, str], tmp_path: Path) -> Iterator["psycopg.Connection[Any]"]:
    drive(observe(file_text([("A", "AAAA", 1, 1), ("B", "BBBB", 5, 2)]), Partition(WEEK, "OTCE")))
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    done = here("migrate", "--reader-password-file", file)
    assert (done.returncode, PASSWORD in done.stdout + done.stderr) == (0, False)
    with psycopg.connect(url_of(environment, PASSWORD), autocommit=True) as connection:
        yield connection


def test_every_table_view_and_as_of_function_of_otc_can_be_read(reader: "psycopg.Connection[Any]") -> None:
    relations = reader.execute(
        "select relname from pg_class where relnamespace = 'otc'::regnamespace and relkind in ('r', 'v', 'p')"
    ).fetchall()
    assert len(relations) > 15
    for (name,) in relations:
        reader.execute(f"select * from otc.{name} limit 1".encode())
    assert reader.execute("select count(*) from venue_volume").fetchone() == (2,), "its search path is otc"
    assert reader.execute("select count(*) from venue_volume_as_of(%s)", [NOON]).fetchone() == (2,)
    for metric in files.metric_files():
        reader.execute(f"select * from otc.{metric}_as_of(%s, %s, %s)".encode(), [NOON, WEEK, WEEK])
    found = reader.execute("select symbol from otc.symbol_summary_as_of(%s, %s, %s) order by 1", [NOON, WEEK, WEEK])
    assert [row[0] for row in found] == ["A", "B"]


def test_the_effect_of_a_restatement_can_be_read(reader: "psycopg.Connection[Any]") -> None:
    restated = file_text([("A", "AAAA", 1, 1), ("B", "BBBB", 7, 2)])
    drive(observe(restated, Partition(WEEK, "OTCE"), NOON + timedelta(days=1)))
    history.build(resources.database())
    [(effect,)] = reader.execute("select effect from restatement").fetchall()
    assert {"total_volume": ["5.000000", "7.000000"]}.items() <= effect[-1]["changes"].items()
    assert {"symbol_summary", "symbol_rolling_avg"} <= {one["metric"] for one in effect}


@pytest.mark.parametrize(
    "statement",
    [
        "insert into otc.migration (name) values ('x')",
        "delete from otc.symbol_summary",
        "update otc.capture set pages = 0",
        "truncate otc.stage_run",
        "create table otc.mine (n int)",
        "drop view otc.venue_volume",
        "select otc_internal.store_metric('symbol_summary', '2025-11-14', 0)",
        "delete from otc_internal.volume_record",
        "delete from otc_internal.decision",
        "delete from otc_internal.metric_due",
        "delete from otc_internal.schedule_fire",
        "select * from otc_internal.venue_sum_history",
    ],
)
def test_it_writes_nothing_even_in_a_transaction_that_may_write(
    reader: "psycopg.Connection[Any]", statement: str
) -> None:
    with pytest.raises(psycopg.Error):
        reader.execute(statement.encode())
    reader.execute("set default_transaction_read_only to off")
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidTableDefinition)):
        reader.execute(statement.encode())


def test_its_transactions_are_read_only_and_its_statements_end(reader: "psycopg.Connection[Any]") -> None:
    assert reader.execute("show transaction_read_only").fetchone() == ("on",)
    assert reader.execute("show statement_timeout").fetchone() == ("5min",)


@pytest.mark.usefixtures("reader")
def test_again_it_is_the_same_role_with_a_new_password_that_is_shown_once(
    here: Run, environment: dict[str, str]
) -> None:
    done = here("migrate", "--reader")
    password = done.stdout.rsplit(maxsplit=1)[-1]
    psycopg.connect(url_of(environment, password)).close()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url_of(environment, PASSWORD))
    assert password not in here("migrate").stdout


@pytest.mark.parametrize("content", ["", "two\nlines", "\x1b[31m"])
def test_a_file_without_one_line_is_refused_and_changes_nothing(here: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "password").write_text(content)
    for path in ("password", "missing"):
        done = here("migrate", "--reader-password-file", tmp_path / path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.mark.usefixtures("reader")
def test_the_command_opens_psql_as_the_reader(otcpipe: Run, environment: dict[str, str]) -> None:
    done = otcpipe("sql", "-c", "select current_user, count(*) from venue_volume")
    assert (done.returncode, "otcpipe_reader |     2" in done.stdout) == (0, True), done.stderr
    several = otcpipe("sql", "-c", "select 'first' as one", "-c", "select 'second' as two")
    assert ("first" in several.stdout, "second" in several.stdout) == (True, True), several.stderr
    wrong = otcpipe("sql", "-c", "delete from symbol_summary")
    assert (wrong.returncode, "read-only" in wrong.stderr) == (1, True)


@pytest.mark.usefixtures("reader")
def test_ctrl_c_cancels_the_query_and_ends_the_command_as_it_ends_others(sql: Sql) -> None:
    sleeps = "select pg_sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-m", "otcpipe", "sql", "-c", sleeps],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    running = f"select count(*) from pg_stat_activity where query = '{sleeps}' and state = 'active'"
    while process.poll() is None and sql(running) == [(0,)]:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the command and to psql
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.splitlines()[-1]) == (130, "otcpipe: Interrupted."), said
    assert "canceling statement due to user request" in said
    assert sql(running) == [(0,)]


def test_without_psql_the_command_says_what_to_connect_to(
    here: Run, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "psql", lambda: None)
    done = here("sql")
    parts = urlsplit(environment["OTCPIPE_DATABASE_URL"])
    assert f"postgresql://otcpipe@127.0.0.1:{parts.port}{parts.path}," in done.stderr
    assert (done.returncode, str(parts.password) in done.stderr) == (1, False)
