"""The help, its examples, the version and shell completion."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.metadata import version
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from otcpipe.cli import typer_app
from otcpipe.records import Partition
from otcpipe.stack import Supervisor
from otcpipe.weeks import due_at
from tests.conftest import place
from tests.support.pipeline import api_text, drive, observe

ROOT: Any = get_command(typer_app)
SYMBOLS = ("AAPL", "AABB", "BRK.B")
WEEK = date(2026, 3, 20)


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command with its words."""
    for name, command in ROOT.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{name} {word}", one) for word, one in command.commands.items())
        else:
            yield name, command


COMMANDS = dict(commands())


def helped(*words: str) -> str:
    """Return a help page in a terminal of 80 columns."""
    return CliRunner(env={"COLUMNS": "80"}).invoke(typer_app, [*words, "--help"]).stdout


def test_commands_are_in_groups_and_no_description_is_cut() -> None:
    text = helped()
    headings = [line[:-1] for line in text.splitlines() if line in ("Collect:", "Read:", "Repair:", "Operate:")]
    assert headings == ["Collect", "Read", "Repair", "Operate"]
    for command in COMMANDS:
        page = helped(*command.split())
        assert "..." not in " ".join(line for line in page.splitlines() if not line.startswith(("Usage", "  {"))), (
            command
        )
        assert max(map(len, page.splitlines())) <= 80 or "Examples:" in page, command
    flat = " ".join(text.split())
    for name, command in ROOT.commands.items():
        assert " ".join((command.help or "").split("\n\n")[0].split()) in flat, name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_parse(name: str) -> None:
    examples = COMMANDS[name].examples
    assert len(examples) >= 2
    assert all(example in helped(*name.split()) for example in examples)
    for example in examples:
        words = shlex.split(example.removeprefix('eval "$(').removesuffix(')"'))
        while "=" in words[0]:
            words = words[1:]
        assert words[0] == "otcpipe"
        assert words[1 : 1 + len(name.split())] == name.split()
        with COMMANDS[name].make_context(name, words[1 + len(name.split()) :]) as context:
            assert context.params is not None


def test_a_help_page_shows_no_number_of_a_machine() -> None:
    assert not [name for name in COMMANDS if re.search(r"\d{12}", helped(*name.split()))]


def test_the_version_is_that_of_the_package() -> None:
    done = subprocess.run([sys.executable, "-m", "otcpipe", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"otcpipe {version('otcpipe')}\n"


def completed(line: str, **variables: str) -> list[str]:
    """Return what bash would offer at the end of a line."""
    words = line.split(" ")
    found = subprocess.run(
        [sys.executable, "-c", "from otcpipe.cli import app; import sys; sys.argv[0] = 'otcpipe'; app()"],
        env=os.environ
        | {"_OTCPIPE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        | variables,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.stderr == ""
    return found.stdout.split()


@pytest.fixture(scope="module")
def market(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hold one week of three symbols."""
    with place(servers, tmp_path_factory.mktemp("home")):
        partition = Partition(WEEK, "T1")
        rows = [{"issueSymbolIdentifier": symbol} for symbol in SYMBOLS]
        drive(observe(api_text(rows, partition), partition, due_at(WEEK, "T1") + timedelta(hours=1), "all"))
        yield


COMPLETED = {
    "otcpipe sta": ["status"],
    "otcpipe show AA": ["AABB", "AAPL"],
    "otcpipe show BR": ["BRK.B"],
    "otcpipe explain BR": ["BRK.B"],
    "otcpipe revisions --symbol AAP": ["AAPL"],
    "otcpipe top --by c": ["change"],
    "otcpipe top --week 2026": [f"{WEEK}"],
    "otcpipe venues --tier A": ["ALL_TIERS"],
    "otcpipe venues --scope NON": ["NON_ATS"],
    "otcpipe enqueue --tier T": ["T1", "T2"],
    "otcpipe export symbol_s": ["symbol_split", "symbol_summary"],
    "otcpipe export --format c": ["csv"],
    "otcpipe tables symbol_su": ["symbol_summary", "symbol_summary_history"],
    "otcpipe reprocess --stage per": ["persist"],
    "otcpipe dlq list --stage per": ["persist"],
    "otcpipe doctor --queue com": ["compute"],
    "otcpipe explain AAPL --metric symbol_c": ["symbol_concentration"],
}


@pytest.mark.parametrize("line", COMPLETED)
def test_the_shell_completes_names_weeks_and_symbols(line: str, market: None) -> None:
    assert sorted(completed(line)) == COMPLETED[line]


@pytest.mark.parametrize("line", ["otcpipe show A", "otcpipe status --week 2"])
def test_completion_is_quick_and_silent_if_no_database_answers(line: str) -> None:
    started = time.monotonic()
    assert completed(line, OTCPIPE_DATABASE_URL="postgresql://otcpipe@127.0.0.1:9/otcpipe") == []
    assert completed(line, OTCPIPE_DATABASE_URL="no url") == []
    assert time.monotonic() - started < 20


def test_bash_gets_a_script(market: None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "otcpipe", "--show-completion", "bash"],
        env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "COMPLETE=complete_bash" in done.stdout, done
