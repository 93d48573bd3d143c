"""The documents name what exists, and nothing else."""

import re

import pytest
from typer.main import get_group
from typer.testing import CliRunner

from otcpipe.cli import typer_app
from otcpipe.monitoring import telemetry
from otcpipe.settings import DEFAULTS, SERVERS
from otcpipe.storage import sql
from tests.packaging.documents import DOCUMENTS, README, ROOT, TEXT, anchors, links

COMMANDS = sorted(get_group(typer_app).commands)
MAX_LINES = 200  # of the README
MAX_PICTURE_BYTES = 250_000


def test_the_readme_lists_every_command_and_every_command_that_is_named_exists() -> None:
    assert sorted(set(re.findall(r"^\| `otcpipe ([\w-]+)", README, re.MULTILINE))) == COMMANDS
    assert set(re.findall(r"(?:`|^)otcpipe (\w[\w-]*)", TEXT, re.MULTILINE)) <= {*COMMANDS}


def test_the_readme_is_short_and_has_a_picture() -> None:
    assert len(README.splitlines()) <= MAX_LINES
    pictures = [ROOT / target for target in links("README.md") if target.endswith(".png")]
    assert pictures
    assert all(picture.stat().st_size < MAX_PICTURE_BYTES for picture in pictures)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_resolves(document: str) -> None:
    for target in links(document):
        name, _, anchor = target.partition("#")
        path = (ROOT / document).parent / name if name else ROOT / document
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


@pytest.mark.parametrize("document", sorted({*DOCUMENTS} - {"README.md", "tests/data/README.md"}))
def test_a_reader_of_the_readme_finds_every_document(document: str) -> None:
    assert document in links("README.md")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_names_its_options(command: str) -> None:
    subcommands: list[list[str]] = [
        [name] for name in getattr(get_group(typer_app).commands[command], "commands", {})
    ]
    shown = "".join(
        CliRunner().invoke(typer_app, [command, *more, "--help"], catch_exceptions=False).stdout
        for more in subcommands or [[]]
    )
    rows = re.findall(rf"^\| `otcpipe {command}(?![\w-])[^\n]*", README, re.MULTILINE)
    named = [*rows, *re.findall(rf"`otcpipe {command}(?![\w-])[^`]*`", TEXT)]
    assert set(re.findall(r"--[a-z-]+", " ".join(named))) <= set(re.findall(r"--[a-z-]+", shown))


def test_the_settings_that_are_named_are_all_that_exist() -> None:
    named = {
        name.removeprefix("OTCPIPE_").removesuffix("_FILE")
        for name in re.findall(r"OTCPIPE_[A-Z0-9_]*[A-Z0-9]\b", TEXT)
    }
    assert named == {*SERVERS, *DEFAULTS}


def test_every_metric_and_script_that_is_named_exists() -> None:
    listed = re.findall(r"`(\w+)`", TEXT.partition("and the metrics, such as")[2].partition("Each has a function")[0])
    assert listed and set(listed) <= {*sql.metric_files()}
    for script in re.findall(r"scripts/([\w.]*\w)", TEXT):
        assert (ROOT / "scripts" / script).exists()


def test_every_figure_that_is_named_is_served_and_five_are_to_alert_on() -> None:
    named = re.findall(r"otcpipe_(?!reader\b)([a-z_]+)", TEXT)  # which is a role
    assert set(named) <= {*telemetry.FIGURES}
    assert len(re.findall(r"^\| `otcpipe_\w+` \|", TEXT, re.MULTILINE)) == 5


def test_ci_runs_the_readmes_own_commands() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    run = [line for line in lines if line and not line.startswith(("#", "set", "cd"))]
    assert run == ["scripts/lint", "scripts/test"]


def test_the_lock_names_no_registry() -> None:
    assert "://" not in (ROOT / "scripts" / "requirements.lock").read_text()
