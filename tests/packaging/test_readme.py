"""The README names what is there, and nothing else."""

import re
from pathlib import Path

import pytest
from typer.main import get_group
from typer.testing import CliRunner

from otcpipe.cli import typer_app
from otcpipe.monitoring import telemetry
from otcpipe.settings import DEFAULTS, SERVERS
from otcpipe.storage import sql

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = sorted(get_group(typer_app).commands)


def test_every_command_stands_in_the_readme_and_every_command_there_exists() -> None:
    assert sorted(set(re.findall(r"^\| `otcpipe (\w+)", README, re.MULTILINE))) == COMMANDS
    assert set(re.findall(r"(?:`|^)otcpipe (\w+)", README, re.MULTILINE)) <= {*COMMANDS, "up"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    subcommands: list[list[str]] = [
        [name] for name in getattr(get_group(typer_app).commands[command], "commands", {})
    ]
    shown = "".join(
        CliRunner().invoke(typer_app, [command, *more, "--help"], catch_exceptions=False).stdout
        for more in subcommands or [[]]
    )
    flags = set(re.findall(rf"`otcpipe {command}[^`]*`[^\n]*", README))
    named = {flag for line in flags for flag in re.findall(r"--[a-z-]+", line)}
    assert named <= set(re.findall(r"--[a-z-]+", shown))


def test_the_settings_that_are_named_are_all_that_exist() -> None:
    named = {name.removeprefix("OTCPIPE_") for name in re.findall(r"OTCPIPE_[A-Z0-9_]+", README)}
    assert named == {*SERVERS, *DEFAULTS}


def test_every_metric_and_script_that_is_named_exists() -> None:
    assert all(f"`{metric}`" in README for metric in sql.metric_files())
    for script in re.findall(r"scripts/(\w+)", README):
        assert (ROOT / "scripts" / script).exists()


def test_every_figure_that_is_named_is_served_and_five_are_to_alert_on() -> None:
    named = re.findall(r"otcpipe_([a-z_]+)", README)
    assert set(named) <= {*telemetry.FIGURES}
    assert len(re.findall(r"^\| `otcpipe_\w+` \|", README, re.MULTILINE)) == 5


def test_ci_runs_the_readmes_own_commands() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    run = [line for line in lines if line and not line.startswith(("#", "set", "cd"))]
    assert run == ["scripts/lint", "scripts/test"]


def test_the_lock_names_no_registry() -> None:
    assert "://" not in (ROOT / "scripts" / "requirements.lock").read_text()
