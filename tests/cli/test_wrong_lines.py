"""Hundreds of wrong command lines and settings: each is one sentence, and changes nothing."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.main import get_command

from otcpipe import resources
from otcpipe.cli import app, typer_app
from otcpipe.stack import Supervisor
from tests.conftest import DATA, place

Run = Callable[..., "subprocess.CompletedProcess[str]"]
REAL = str(DATA / "finra_otc_weekly_otc_20251215.csv.gz")
KEY = f"raw/T1/2024-01-05/{'0' * 64}.psv.gz"
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e\u009btierDescription|issueSymbolIdentifier\nOTC|AABB\n"
EMPTY = ["", " ", "\t\n"]
ODD = [
    "\0", "x\0y", "\udcff", "\ud800", "\x1b[2J", "\u202e", "a\nb", "--", "-", "''", "%s", "{}", "../../../etc/passwd",
    "/dev/null", "/proc/self/mem", "x" * 5000, "0", "-1", "1.5", "nan", "1e9", str(2**31), str(2**63), "9" * 5000,
    "\u0661", "0001-01-01", "9999-12-31", "10000-01-01", "2026-02-30", "2024-W60-1", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "2025-01-01T00:00:00", "2025-01-01T00:00:00+24:00", "2025-01-01T25:00:00Z", "T4",
    "t-1", "ATS ", "venue_volume; drop table otc.capture", "xlsx",
]  # fmt: skip
NEEDED = {
    "accept": {"--week": "2024-01-05", "--tier": "T1", "--reason": "right"},
    "backfill": {"--from": "2024-01-05"},
    "chart": {"": "AAPL"},
    "dlq purge": {"--older-than": "36500"},
    "dlq show": {"": "1"},
    "enqueue": {"--week": "2024-01-05"},
    "explain": {"": "AAPL", "--week": "2024-01-05"},
    "export": {"--table": "venue_volume"},
    "import": {"": REAL},
    "import-market": {"": REAL},
    "import-splits": {"": REAL},
    "import-volume": {"": REAL, "--source": "a vendor"},
    "plan": {"--from": "2024-01-05"},
    "reprocess": {"": KEY},
    "run": {"--week": "2024-01-05"},
    "show": {"": "AAPL"},
    "venue": {"": "UBSA"},
    "verify": {"--week": "2024-01-05"},
    "withdraw": {"": "1", "--reason": "wrong"},
}


def _values() -> dict[str, list[str]]:
    """Every command by its words, with the options and arguments that take a value; an argument has no name."""
    commands: dict[str, Any] = dict(getattr(get_command(typer_app), "commands"))  # noqa: B009 - typer keeps it private
    for name, group in list(commands.items()):
        for word, command in getattr(group, "commands", {}).items():
            commands[f"{name} {word}"] = command
    return {
        name: [
            "" if one.param_type_name == "argument" else max(one.opts, key=len)
            for one in command.params
            if _has_value(one)
        ]
        for name, command in commands.items()
        if not hasattr(command, "commands")
    }


def _has_value(parameter: Any) -> bool:
    return parameter.param_type_name == "argument" or not (parameter.is_flag or parameter.name == "help")


VALUES = _values()
PLACES = [(command, option) for command, options in VALUES.items() for option in options]


def line(command: str, option: str, text: str) -> list[str]:
    """A command line that is right but for one value, which may be right too."""
    given = NEEDED.get(command, {}) | {option: text}
    if command == "reprocess" and option == "--prefix":
        del given[""]
    named = [
        f"{name}={value}" if name.startswith("--") else f"{name}{value}" for name, value in given.items() if name
    ]
    return [*command.split(), *named, *(["--", given[""]] if "" in given else [])]


@pytest.fixture(scope="module", autouse=True)
def variables(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with place(servers, tmp_path_factory.mktemp("home"), OTCPIPE_NOW="2026-11-20T12:00:00Z") as found:
        yield found


@pytest.fixture
def here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs the command line in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        monkeypatch.setattr(sys, "argv", ["otcpipe", *arguments])
        with pytest.raises(SystemExit) as exited:
            app()
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(exited.value.code or 0), printed.out, printed.err)

    return run


def contents() -> list[Any]:
    """All that a command could have changed: rows by table, and objects."""
    with psycopg.connect(resources.settings()["DATABASE_URL"]) as connection:
        tables = connection.execute(
            "select oid::regclass::text from pg_class where relkind = 'r'"
            " and relnamespace in ('otc'::regnamespace, 'otc_internal'::regnamespace) order by 1"
        ).fetchall()
        rows = [connection.execute(f"select count(*) from {name}".encode()).fetchone() for (name,) in tables]
    return [*rows, list(resources.store().keys(resources.settings()["S3_PREFIX"]))]


def assert_sentence(done: "subprocess.CompletedProcess[str]", *codes: int) -> None:
    assert done.returncode in codes, done
    assert done.stdout == "", done
    assert re.fullmatch(r"otcpipe: [^\n]+[^\n:]\n", done.stderr), done
    assert done.stderr[:-1].isprintable() or "\ufffd" in done.stderr, done
    assert "defect" not in done.stderr, done
    assert "Traceback" not in done.stderr, done


def test_the_table_knows_every_command_that_takes_a_value() -> None:
    assert len(PLACES) > 50
    assert set(NEEDED) <= set(VALUES)


@pytest.mark.parametrize(("command", "option"), PLACES, ids=" ".join)
def test_an_empty_value_is_a_usage_error(command: str, option: str, here: Run) -> None:
    before = contents()
    for text in EMPTY:
        done = here(*line(command, option, text))
        assert_sentence(done, 2)
        assert "it is empty" in done.stderr or "valid integer" in done.stderr, done
    assert contents() == before


@pytest.mark.parametrize(("command", "option"), PLACES, ids=" ".join)
def test_an_odd_value_is_one_sentence_or_an_answer(command: str, option: str, here: Run, tmp_path: Path) -> None:
    before = contents()
    for text in ODD:
        done = here(*line(command, option, text))
        if done.returncode:
            assert_sentence(done, 1, 2)
        assert done.stderr.count("\n") == bool(done.returncode), done
    assert contents() == before


INTERRUPTING = """
import signal, sys
module = sys.argv.pop(1)

class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == module:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from otcpipe.cli import app
app()
"""


@pytest.mark.parametrize("module", ["typer", "otcpipe.cli.commands", "otcpipe.cli.status", "psycopg", "rich.console"])
def test_ctrl_c_while_a_command_starts_is_one_word(module: str, variables: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTING, module, "status"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "otcpipe: Interrupted.\n")


SHELL = {
    "an unset variable": ('export venue_volume --as-of "$UNSET"', 2, "it is empty"),
    "an unset symbol": ('show "$UNSET"', 2, "it is empty"),
    "bytes that are no text": ("accept --week 2024-01-05 --tier T1 --reason $'\\xff'", 2, "it is not UTF-8"),
    "a file of hostile text": ("import file", 2, "file"),
    "an unknown option": ("status --\u202e", 2, "No such option"),
    "an unknown command": ("'\x1b[2J'", 2, "No such command"),
    "a report over a device": ("report -o /dev/null", 2, "is not a regular file"),
    "a home in a file": ("status", 2, "is not set"),
}


@pytest.mark.parametrize("name", SHELL)
def test_a_wrong_line_of_a_shell_is_one_sentence(name: str, variables: dict[str, str], tmp_path: Path) -> None:
    words, code, said = SHELL[name]
    environ = {"HOME": "/nowhere", "PATH": "/usr/bin:/bin"} if name == "a home in a file" else dict(os.environ)
    (tmp_path / "file").write_text(HOSTILE)
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m otcpipe {words}"],
        env=environ | ({"OTCPIPE_HOME": str(tmp_path / "file")} if name == "a home in a file" else {}),
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert_sentence(done, code)
    assert said in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_defect(closed: str, variables: dict[str, str]) -> None:
    shell = f"{sys.executable} -m otcpipe status --json {closed}; echo code $? >&9"
    reading, writing = os.pipe()
    with os.fdopen(reading) as pipe:
        subprocess.run(["bash", "-c", shell.replace(">&9", f">&{writing}")], pass_fds=[writing], check=True)
        os.close(writing)
        assert pipe.read() == "code 0\n"
