"""The compose file: that Docker would take it, and that every command in it works; there is no Docker here to ask."""

import argparse
import itertools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from dramatiq.cli import make_argument_parser
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from typer.main import get_group

from otcpipe import settings
from otcpipe.cli import typer_app
from otcpipe.queues import Queues
from otcpipe.stages import PIPELINE
from tests.test_readme import README

ROOT = Path(__file__).parent.parent
FILE = ROOT / "compose.yml"
COMPOSE: dict[str, Any] = YAML(typ="safe").load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "otcpipe"}
WORKERS = {name: service for name, service in OURS.items() if service["command"][0] == "dramatiq"}
COMMANDS = {name: service["command"] for name, service in OURS.items()} | {
    f"{name}'s health": service["healthcheck"]["test"][1:]
    for name, service in OURS.items()
    if "healthcheck" in service
}
OTCPIPE = {name: command for name, command in COMMANDS.items() if command[0] == "otcpipe"}


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `scripts/secrets` makes, run twice."""
    root = tmp_path_factory.mktemp("root")
    (root / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "secrets", root / "scripts")
    subprocess.run([root / "scripts" / "secrets"], check=True)
    before = {path.name: path.read_text() for path in (root / ".secrets").iterdir()}
    subprocess.run([root / "scripts" / "secrets"], check=True)
    assert before == {path.name: path.read_text() for path in (root / ".secrets").iterdir()}
    return root / ".secrets"


def test_the_schema_of_compose_files_accepts_it_and_would_not_accept_a_slip() -> None:
    text = files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text()
    schema = Draft202012Validator(json.loads(text))
    assert list(schema.iter_errors(COMPOSE)) == []
    slip = SERVICES["worker"] | {"healthchek": SERVICES["worker"]["healthcheck"]}
    assert len(list(schema.iter_errors(COMPOSE | {"services": SERVICES | {"worker": slip}}))) == 1


def flags_of(command: list[str]) -> argparse.Namespace:
    """What `dramatiq` makes of a worker's command; ends the test where it would end with a usage message."""
    parser: argparse.ArgumentParser = make_argument_parser()  # type: ignore[no-untyped-call]
    return parser.parse_args(command[1:])


@pytest.mark.parametrize("name", OTCPIPE)
def test_every_command_exists_with_its_flags_and_stands_in_the_readme(name: str) -> None:
    word, *arguments = OTCPIPE[name][1:]
    context = get_group(typer_app).make_context("otcpipe", [word, *arguments], resilient_parsing=False)
    command = get_group(typer_app).commands[word]
    command.make_context(word, list(arguments), parent=context)  # raises for a flag that there is not
    assert f"| `otcpipe {word}" in README


def test_each_queue_is_consumed_by_just_one_kind_of_worker_and_fetch_apart() -> None:
    queues = [flags_of(service["command"]).queues for service in WORKERS.values()]
    assert sorted(itertools.chain(*queues)) == sorted(stage.name for stage in PIPELINE)
    assert ["fetch"] in queues


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_time_to_end_its_stage_and_its_health_is_that_of_its_own_queue(name: str) -> None:
    parsed = flags_of(WORKERS[name]["command"])
    assert seconds(WORKERS[name]["stop_grace_period"]) * 1000 > parsed.worker_shutdown_timeout
    assert WORKERS[name]["healthcheck"]["test"][-1] in parsed.queues


def test_the_workers_commands_consume_every_queue_and_end_when_they_are_told_to(environment: dict[str, str]) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", *service["command"]],
            env=os.environ | environment | {"OTCPIPE_LOG": "json"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for service in WORKERS.values()
    ]
    queues, deadline = Queues(environment["OTCPIPE_REDIS_URL"]), time.monotonic() + 60
    try:
        while not all(queue.consumers for queue in queues.all().values()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        for process in started:
            process.terminate()
        logs = [process.communicate(timeout=30)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert all(line.startswith('{"') for log in logs for line in log.splitlines())


def test_every_service_has_health_a_restart_policy_limits_and_ports_on_this_machine_only() -> None:
    for name, service in SERVICES.items():
        assert "healthcheck" in service or name == "migrate"
        assert service["restart"] == ("on-failure" if name == "migrate" else "unless-stopped")
        assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys()
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        for other in service.get("depends_on", ()):
            assert other in SERVICES
    assert {service["build"]["dockerfile"] for service in OURS.values()} == {"scripts/Dockerfile"}
    assert re.search(r"^USER (?!root)", (ROOT / "scripts" / "Dockerfile").read_text(), re.MULTILINE)


def test_every_secret_is_a_file_that_the_script_makes_and_that_only_its_owner_gets_to(secrets: Path) -> None:
    named = {name: Path(entry["file"]) for name, entry in COMPOSE["secrets"].items()}
    assert {path.name for path in named.values()} == {path.name for path in secrets.iterdir()} == {*named}
    used = {name for service in SERVICES.values() for name in service.get("secrets", ())}
    assert used == {*named}
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    for ignored in (".gitignore", ".dockerignore"):
        assert ".secrets" in (ROOT / ignored).read_text()


@pytest.mark.parametrize("name", OURS)
def test_the_settings_of_our_services_are_settings_and_name_the_other_services(name: str, secrets: Path) -> None:
    given = {name: text.replace("/run/secrets", str(secrets)) for name, text in OURS[name]["environment"].items()}
    found = settings.load(
        {"OTCPIPE_HOME": "/nowhere"} | {name: text for name, text in given.items() if "$" not in text}
    )
    password = (secrets / "postgres_password").read_text()
    assert found["DATABASE_URL"] == f"postgresql://otcpipe:{password}@postgres:5432/otcpipe"
    assert found["REDIS_URL"].endswith("@valkey:6379/0")
    assert len(found["S3_SECRET_KEY"]) == 40
    assert found["FINRA_CLIENT_SECRET"] == ""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Stand-ins for the images' programs, which print what they are given."""
    for name, text in {"valkey-server": 'cat; echo "$@"', "entrypoint.sh": "env; echo $@"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("name", ["valkey", "seaweedfs"])
def test_a_server_gets_its_credentials_and_not_on_its_command_line(name: str, secrets: Path, programs: Path) -> None:
    shell = [*SERVICES[name].get("entrypoint", ()), *SERVICES[name]["command"]]
    shell = [word.replace("$$", "$").replace("/run/secrets", str(secrets)) for word in shell]
    shell = [word.replace("/entrypoint.sh", str(programs / "entrypoint.sh")) for word in shell]
    environ = {"PATH": f"{programs}:{os.environ['PATH']}"}
    said = subprocess.run(shell, env=environ, capture_output=True, text=True, check=True).stdout.splitlines()
    for secret in {"valkey": ["valkey_password"], "seaweedfs": ["s3_access_key", "s3_secret_key"]}[name]:
        assert any(line.endswith((secrets / secret).read_text()) for line in said[:-1])
        assert (secrets / secret).read_text() not in said[-1]
    assert said[-1].startswith({"valkey": "-", "seaweedfs": "mini -dir=/data"}[name])
