"""What the command line says, and what it leaves alone."""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import typer
from typer.main import get_command

from otcpipe.cli import console
from otcpipe.cli.commands import program, typer_app
from otcpipe.cli.tables import Column
from otcpipe.records import Partition
from tests.conftest import DATA
from tests.support.interrupts import IGNORING_SIGINT
from tests.support.pipeline import WEEK, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
REAL = DATA / "finra_otc_weekly_otc_20251215.csv.gz"
GOOD = file_text([("A", "AAAA", 1, 1)])


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "download.csv"
        path.write_bytes(content)
        return path

    return write


BAD_FILES = {
    "a web page": (b"<!DOCTYPE html><html></html>", "web page"),
    "an empty file": (b"", "empty"),
    "a wrong header": (b"symbol|shares\nA|1\n", "header"),
    "a truncated gzip": (gzip.compress(GOOD * 100)[:-20], "truncated"),
    "a damaged gzip": (b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 50, "damaged"),
    "a file that was cut": (
        file_text([("A", "AAAA", 1, 1), ("B", "AAAA", 2, 2)])[:-14],
        "in the middle of line 3: download",
    ),
    "a binary": (bytes(range(256)) * 9, "binary"),
    "two publication dates": (
        GOOD + GOOD.splitlines()[1].replace(b"12-15", b"12-16").replace(b"|A|", b"|B|"),
        "--week",
    ),
    "no publication date": (GOOD.replace(b"2025-12-15", b"2025-12-17"), "not a publication date"),
    "a week that has not ended": (GOOD.replace(b"2025-12-15", b"2031-02-03"), "has not ended"),
    "two tiers": (GOOD + GOOD.splitlines()[1].replace(b"OTC|", b"NMS Tier 1|"), "one tier"),
    "no rows": (GOOD.splitlines()[0] + b"\n", "The file has no rows"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_none_of_finras_is_one_clear_sentence_and_changes_nothing(
    name: str, here: Run, file: Callable[[bytes], Path], sql: Sql
) -> None:
    content, word = BAD_FILES[name]
    done = here("import", REAL, file(content))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert word in done.stderr
    assert "download.csv" in done.stderr
    assert sql("select count(*) from otc.stage_run") == [(0,)]


def test_a_gzip_bomb_is_refused_before_it_fills_the_memory(here: Run, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(b"0" * (1 << 20)) * 300)
    done = here("import", bomb)
    assert (done.returncode, "128 MiB" in done.stderr) == (2, True)


BAD_ARGUMENTS = {
    "a future week": (("enqueue", "--week", "2031-01-03"), "has not ended"),
    "a bad date": (("enqueue", "--week", "2024-13-01"), "YYYY-MM-DD"),
    "an unknown tier": (("enqueue", "--week", "2024-01-05", "--tier", "T3"), "T1, T2, OTCE"),
    "a week before the publication": (("import", REAL, "--week", "2025-12-12"), "first published on 2026-01-12"),
    "another tier than the file's": (("import", REAL, "--tier", "T1"), "OTCE, not T1"),
    "a file that does not exist": (("import", "/no/such/file"), "No such file"),
    "no key": (("reprocess", "raw/T1"), "not a key"),
    "a key that leaves its prefix": (("reprocess", "raw/../../x/T1/2024-01-05/" + "0" * 64 + ".psv.gz"), "not a key"),
    "a key that does not exist": (("reprocess", "raw/T1/2024-01-05/" + "0" * 64 + ".psv.gz"), "does not exist"),
    "a stage that does not run on it": (
        ("reprocess", "raw/T1/2024-01-05/" + "0" * 64 + ".psv.gz", "--stage", "compute"),
        "does not run on",
    ),
    "a status of no date": (("status", "--week", "soon"), "not a date"),
    "an observation in the future": (("import", REAL, "--observed-at", "2031-01-01T00:00:00Z"), "lies in the future"),
    "a scope that is none": (("top", "--scope", "DARK"), "ATS, NON_ATS, ALL"),
    "a limit of nothing": (
        ("top", "--limit", "0"),
        "Invalid value for '--limit': it must be greater than or equal to 1.",
    ),
    "a limit of no number": (
        ("top", "--limit", "x"),
        "Invalid value for '--limit': it must be a valid integer. See `",
    ),
    "a command that is none": (("tpo",), "No such command 'tpo'. Did you mean 'top'? See `otcpipe --help`."),
    "a moment to come": (("show", "AAPL", "--as-of", "2031-12-15T10:00Z"), "lies in the future; give"),
    "an order that is none": (("top", "--by", "luck"), "volume, trades, change, hhi, ats-fraction"),
    "a venue's tier that is none": (("venues", "--tier", "T3"), "T1, T2, OTCE"),
    "a moment without a zone": (("show", "AAPL", "--as-of", "2025-12-15T10:00"), "has no time zone"),
    "a symbol that is not stored": (("show", "\x1b[31mAAPL"), r"No symbol '\x1b[31mAAPL' is stored."),
}


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_a_wrong_argument_is_one_clear_sentence_and_changes_nothing(name: str, here: Run, sql: Sql) -> None:
    arguments, words = BAD_ARGUMENTS[name]
    done = here(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert sql("select count(*) from otc.stage_run") == [(0,)]


def test_a_server_that_is_down_is_exit_code_3_and_no_secret_is_shown(here: Run, environment: dict[str, str]) -> None:
    down = {
        "OTCPIPE_DATABASE_URL": "postgresql://otcpipe:hunter2@127.0.0.1:9/otcpipe",
        "OTCPIPE_S3_ENDPOINT": "http://127.0.0.1:9",
        "OTCPIPE_REDIS_URL": "redis://:hunter2@127.0.0.1:9",
    }
    for name, url in down.items():
        done = here("import", REAL, **{name: url})
        assert (done.returncode, done.stderr.count("\n")) == (3, 1), name
        assert "hunter2" not in done.stderr


def test_a_week_is_echoed_as_its_friday_and_one_that_is_not_due_is_a_state(here: Run, sql: Sql) -> None:
    done = here("enqueue", "--week", "2024-01-03", OTCPIPE_NOW="2024-01-30T12:00:00Z")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "T1 2024-01-05: enqueued.",
        "T2 2024-01-05: not due before 2024-02-05 06:00 New York time.",
        "OTCE 2024-01-05: not due before 2024-02-05 06:00 New York time.",
    ]
    rows = json.loads(here("status", "--week", "2024-01-06", "--json", OTCPIPE_NOW="2024-01-30T12:00:00Z").stdout)
    assert [(row["week_ending"], row["tier"], row["state"]) for row in rows] == [
        ("2024-01-05", "T1", "queued"),
        ("2024-01-05", "T2", "not_due"),
        ("2024-01-05", "OTCE", "not_due"),
    ]
    wanted = "week_ending tier state stage reason rows records totals rejects captures raw_key normalized_key"
    assert set(wanted.split()) <= set(rows[0])


def test_an_older_file_does_not_undo_newer_rows_by_accident(
    otcpipe: Run, file: Callable[[bytes], Path], sql: Sql, workers: Callable[[], object]
) -> None:
    workers()
    newer = file_text([("A", "AAAA", 2, 1), ("B", "AAAA", "?", 1)], updated_on="2026-01-20")
    done = otcpipe("import", "--wait", "--week", "2025-11-14", file(newer))
    assert (done.returncode, "1 row cannot be used: line 3: " in done.stdout) == (0, True)
    assert re.search(r"^OTCE 2025-11-14 is done with grade [A-D]: 1 row was set aside", done.stdout, re.MULTILINE)
    refused = otcpipe("import", "--week", "2025-11-14", file(GOOD))
    assert (refused.returncode, "--observed-at" in refused.stderr) == (2, True)
    placed = otcpipe("import", "--wait", "--observed-at", "2025-12-15T09:00:00-05:00", file(GOOD))
    assert placed.returncode == 0
    assert sql("select share_volume::int, closed_by is null from otc_internal.volume_record order by 1") == [
        (1, False),
        (2, True),
    ]


def test_a_file_that_is_stored_as_another_week_is_refused(here: Run, file: Callable[[bytes], Path]) -> None:
    drive(observe(GOOD, Partition(WEEK, "OTCE")))
    again = here("import", "--week", "2025-11-07", file(GOOD))
    assert (again.returncode, again.stdout) == (2, "")
    assert "is stored already, as that of the week ending 2025-11-14" in again.stderr


def test_two_files_of_one_partition_are_refused_together(here: Run, tmp_path: Path, sql: Sql) -> None:
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for number, path in enumerate(files):
        path.write_bytes(file_text([("A", "AAAA", number, 1)]))
    done = here("import", *files)
    assert (done.returncode, "second file of its partition" in done.stderr) == (2, True)
    assert sql("select count(*) from otc.stage_run") == [(0,)]


def test_a_file_cannot_have_been_downloaded_before_its_own_rows(here: Run, file: Callable[[bytes], Path]) -> None:
    early = here("import", file(GOOD), OTCPIPE_NOW="2025-12-01T12:00:00Z")
    assert (early.returncode, "that day is still to come" in early.stderr) == (2, True)
    done = here("import", "--observed-at", "2020-01-01T00:00:00Z", file(GOOD))
    assert (done.returncode, "cannot be before that day" in done.stderr) == (2, True)


def test_a_database_without_tables_says_what_to_do(here: Run, sql: Sql) -> None:
    sql("drop schema otc, otc_internal cascade")
    done = here("status")
    assert (done.returncode, "otcpipe migrate" in done.stderr) == (2, True)


def test_what_a_terminal_would_obey_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table({"issue_name": Column("Issue")}, [{"issue_name": "\x1b]0;owned\x07[bold]x"}])
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "[bold]x" in printed


SLOW_TO_IMPORT = {"dramatiq", "minio", "numpy", "otcpipe.stack", "pandas", "pyarrow", "pydantic", "redis", "requests"}


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("--help", set[str]()),
        ("show A", {"psycopg"}),
        ("top", {"psycopg"}),
        ("venues", {"psycopg"}),
        ("status", {"psycopg"}),
        ("explain A --week 2025-11-14", {"psycopg", "minio"}),
    ],
)
def test_a_command_that_reads_imports_what_it_needs_and_starts_quickly(
    command: str, needed: set[str], here: Run
) -> None:
    importing = ["-X", "importtime", "-m", "otcpipe", *command.split()]
    loaded = subprocess.run([sys.executable, *importing], check=False, capture_output=True, text=True).stderr
    names = {line.split("|")[-1].strip() for line in loaded.splitlines()}
    assert (SLOW_TO_IMPORT | {"psycopg"}) & names == needed


def test_a_command_made_alone_is_the_one_of_the_whole_program() -> None:
    whole = _commands(typer_app)
    assert {"show", "dlq", "serve"} < whole.keys()
    for name, command in whole.items():
        alone = _commands(program(name))
        assert alone.keys() == {name}
        assert _declared(alone[name]) == _declared(command)


def _commands(program: typer.Typer) -> dict[str, Any]:
    found: Any = get_command(program)
    return dict(found.commands)


def _declared(command: Any) -> tuple[object, ...]:
    parameters = [(one.name, one.opts, one.default, one.required, one.help) for one in command.params]
    return command.name, command.help, command.rich_help_panel, parameters, sorted(getattr(command, "commands", ()))


FINRA = "http://127.0.0.1:9"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts `otcpipe up` in a home of its own."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("OTCPIPE_")}
    of_finra = {"OTCPIPE_FINRA_URL": FINRA, "OTCPIPE_FINRA_CLIENT_ID": "s3cret"}
    started: list[subprocess.Popen[str]] = []

    def up(home: str, *arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*IGNORING_SIGINT, sys.executable, "-m", "otcpipe", "up", *arguments],
            env=environ | of_finra | {"OTCPIPE_HOME": str(tmp_path / home)},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout
        assert "] Ready in" in process.stdout.readline()
        assert f"Logs are in {tmp_path / home / 'logs'}" in process.stdout.readline()
        return process

    yield up
    for process in started:
        process.terminate()
        process.wait(60)
        if process.stdout:
            process.stdout.close()


def test_up_env_and_down_work_as_a_newcomer_types_them(
    stack: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    first, second = stack("one"), stack("two", "--servers-only")
    urls = []
    for home in ("one", "two"):
        shell = 'eval "$(python -m otcpipe env)"; echo $OTCPIPE_DATABASE_URL'
        environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "OTCPIPE_HOME": str(tmp_path / home),
        }
        urls.append(
            subprocess.run(shell, shell=True, env=environ, check=True, capture_output=True, text=True).stdout.strip()
        )
        kept = json.loads((tmp_path / home / "stack.json").read_text())["environment"]
        assert (kept["OTCPIPE_FINRA_URL"], "OTCPIPE_FINRA_CLIENT_ID" in kept) == (FINRA, False)
        with psycopg.connect(urls[-1]) as connection:
            assert connection.execute("select count(*) from otc.venue_volume").fetchone() == (0,)
    assert urls[0] != urls[1]
    log = tmp_path / "one" / "logs" / "worker1.log"
    deadline = time.monotonic() + 30
    while "ready for action" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "Coverage" in served(tmp_path / "one" / "logs" / "web.log", deadline + 30)
    assert not (tmp_path / "two" / "logs" / "web.log").exists()
    down = [sys.executable, "-m", "otcpipe", "down"]
    subprocess.run(down, env=environ | {"OTCPIPE_HOME": str(tmp_path / "one")}, check=True, capture_output=True)
    second.send_signal(signal.SIGINT)
    assert (first.wait(10), second.wait(30)) == (0, 0)
    assert not list(tmp_path.glob("*/stack.json"))


def served(log: Path, deadline: float) -> str:
    """The page of coverage, once it is served where the log says."""
    while True:
        found = re.search("http://[0-9.]+:[0-9]+", log.read_text()) if log.exists() else None
        with suppress(requests.ConnectionError):
            if found:
                return requests.get(f"{found[0]}/coverage", timeout=20).text
        assert time.monotonic() < deadline
        time.sleep(0.1)


STALE = {
    "OTCPIPE_DATABASE_URL": "postgresql://u:s3cret@127.0.0.1:9/otcpipe",
    "OTCPIPE_REDIS_URL": "redis://:s3cret@127.0.0.1:9/0",
    "OTCPIPE_S3_ENDPOINT": "http://127.0.0.1:9",
}


@pytest.mark.parametrize("name", STALE)
def test_up_names_a_variable_of_the_shell_whose_server_does_not_answer(name: str, tmp_path: Path) -> None:
    bare = {one: text for one, text in os.environ.items() if not one.startswith("OTCPIPE_")}
    keys = {"OTCPIPE_S3_ACCESS_KEY": "k", "OTCPIPE_S3_SECRET_KEY": "s3cret"} if "S3" in name else {}
    done = subprocess.run(
        [sys.executable, "-m", "otcpipe", "up"],
        env=bare | keys | {name: STALE[name], "OTCPIPE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    left = " ".join(sorted([name, *keys]))
    assert (done.returncode, f"run `unset {left}`" in done.stderr, done.stderr.count("\n")) == (3, True, 1)
    assert "s3cret" not in done.stderr + done.stdout
    assert not list(tmp_path.iterdir()), "nothing was started"


def test_a_server_that_does_not_answer_is_explained_by_what_the_shell_overrides(here: Run, tmp_path: Path) -> None:
    state = {"pid": 1, "started": 1, "environment": {"OTCPIPE_DATABASE_URL": "postgresql://u@127.0.0.1:8/otcpipe"}}
    (tmp_path / "stack.json").write_text(json.dumps(state))
    stale = {"OTCPIPE_DATABASE_URL": STALE["OTCPIPE_DATABASE_URL"], "OTCPIPE_HOME": str(tmp_path)}
    done = here("status", **stale)
    assert (done.returncode, "`unset OTCPIPE_DATABASE_URL`" in done.stderr) == (3, True)
    assert "`unset OTCPIPE_DATABASE_URL`" in here("doctor", **stale).stdout.splitlines()[0]


def test_under_nohup_the_stack_outlives_its_terminal_and_keeps_its_ports(
    stack: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    def addresses() -> dict[str, str]:
        return dict(json.loads((tmp_path / "home" / "stack.json").read_text())["environment"])

    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does; children inherit it
    try:
        up = stack("home", "--servers-only")
    finally:
        signal.signal(signal.SIGHUP, handler)
    up.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        up.wait(1)
    before = addresses()
    up.kill()  # a crash
    up.wait()
    again = stack("home", "--servers-only")
    assert addresses() == before
    again.send_signal(signal.SIGHUP)
    assert again.wait(30) == 0
    ports = json.loads((tmp_path / "home" / "ports.json").read_text())
    with socket.create_server(("127.0.0.1", ports["valkey"])):
        stack("home", "--servers-only")
        after = addresses()
    assert {name for name in after if after[name] != before[name]} == {"OTCPIPE_REDIS_URL"}


def test_a_worker_that_dies_is_started_again(stack: Callable[..., "subprocess.Popen[str]"], tmp_path: Path) -> None:
    up = stack("home", "--workers", "1")
    children = Path(f"/proc/{up.pid}/task/{up.pid}/children").read_text().split()
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in children}
    (worker,) = [pid for pid, line in commands.items() if "dramatiq" in line and "persist" in line]
    os.kill(int(worker), signal.SIGKILL)
    assert up.stdout
    said = next(line for line in up.stdout if "] Pages: " not in line)
    assert "worker1 ended with code -9 and was started again" in said
