"""The units of systemd: every command exists with its flags, every queue is consumed, and a unit may do little."""

import re
from configparser import RawConfigParser
from pathlib import Path

import pytest
from typer.main import get_group

from otcpipe import settings
from otcpipe.cli import typer_app
from otcpipe.pipeline.definition import PIPELINE
from tests.packaging.documents import DOCUMENTS
from tests.packaging.test_compose import flags_of

FOLDER = Path(__file__).parents[2] / "scripts" / "systemd"
SERVICES = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.service"))}
PROGRAMS = "/opt/otcpipe/bin/"
CLOSED = ("DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet=\n")
WORKERS = ("otcpipe-fetch.service", "otcpipe-worker@.service")


def values(text: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


def environment(text: str) -> dict[str, str]:
    """What a unit sets by itself."""
    found = [
        quoted or plain
        for line in values(text, "Environment")
        for quoted, plain in re.findall(r'"(.*?)"|(\S+)', line)
    ]
    return dict(pair.split("=", 1) for pair in found)


def commands(text: str) -> list[list[str]]:
    """The commands of a unit as systemd runs them: a variable by itself is split into words."""
    variables = environment(text)
    lines = [line.split() for name in ("ExecStartPre", "ExecStart") for line in values(text, name)]
    return [[word for one in line for word in variables.get(one.removeprefix("$"), one).split()] for line in lines]


@pytest.mark.parametrize("name", SERVICES)
def test_every_command_of_a_unit_exists_with_its_flags(name: str) -> None:
    found = commands(SERVICES[name])
    assert found
    for program, word, *arguments in found:
        assert program.startswith(PROGRAMS)
        if program == f"{PROGRAMS}dramatiq":
            flags_of([program, word, *arguments])
        else:
            group = get_group(typer_app)
            context = group.make_context("otcpipe", [word, *arguments], resilient_parsing=False)
            group.commands[word].make_context(word, list(arguments), parent=context)


def test_the_workers_consume_every_queue_once_and_have_time_to_end_their_stage() -> None:
    parsed = {name: flags_of(commands(SERVICES[name])[0]) for name in WORKERS}
    assert sorted(queue for one in parsed.values() for queue in one.queues) == sorted(one.name for one in PIPELINE)
    for name, one in parsed.items():
        assert 1000 * int(values(SERVICES[name], "TimeoutStopSec")[0]) > one.worker_shutdown_timeout


def test_a_second_machine_chooses_queues_in_its_file_of_settings_which_overrides_the_unit() -> None:
    text = SERVICES["otcpipe-worker@.service"]
    assert text.index("Environment=") < text.index("EnvironmentFile=/etc/otcpipe/environment")
    assert environment(text)["QUEUES"] and "$QUEUES" in values(text, "ExecStart")[0].split()


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_may_do_little_starts_again_and_sets_only_settings_that_exist(name: str) -> None:
    text = SERVICES[name]
    RawConfigParser(strict=False, allow_no_value=False).read_string(text)
    assert all(line in text for line in CLOSED)
    assert "Restart=always" in text or "Type=oneshot" in text
    for variable in environment(text):
        assert not variable.startswith("OTCPIPE_") or variable.removeprefix("OTCPIPE_") in settings.DEFAULTS


def test_the_documents_name_every_unit_and_the_backup_has_a_timer() -> None:
    for path in FOLDER.iterdir():
        assert path.stem.removesuffix("@") in DOCUMENTS["otcpipe/cli/OPERATIONS.md"], path.name
    assert (FOLDER / "otcpipe-backup.timer").exists()
