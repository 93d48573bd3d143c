"""The documents' commands for managed servers, run as they are written, on servers that demand TLS."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from otcpipe import settings
from otcpipe.stack import Supervisor, binaries, start_servers
from otcpipe.storage.s3 import ObjectStore
from tests.conftest import DATA, READY, changed_environment, kill, querying
from tests.packaging.documents import DOCUMENTS
from tests.support.tables import all_tables, differences
from tests.support.tls import Authority, PostgresTlsWire, TlsWire

DOCUMENT = DOCUMENTS["otcpipe/cli/OPERATIONS.md"]
FILES = sorted(DATA.glob("finra_otc_weekly_otc_*.csv.gz"))
PROGRAMS = f"{Path(sys.executable).parent}:{binaries.postgres()}:{os.environ['PATH']}"


def blocks(heading: str) -> list[str]:
    """The blocks of commands below a heading of the document."""
    section = re.split(r"^##+ ", DOCUMENT.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


class Managed:
    """The documents' machine: what its placeholders stand for, and its shell."""

    def __init__(self, folder: Path, servers: Supervisor, postgres_port: int, redis_port: int) -> None:
        self.folder, self.servers = folder, servers.environment
        database, redis = (urlsplit(self.servers[f"OTCPIPE_{name}_URL"]) for name in ("DATABASE", "REDIS"))
        for name in ("access_key", "secret_key"):
            (folder / f"s3_{name}").write_text(self.servers[f"OTCPIPE_S3_{name.upper()}"])
        self.places = {
            "otcpipe:PASSWORD@db.example.com:5432": f"otcpipe:{database.password}@localhost:{postgres_port}",
            ":PASSWORD@redis.example.com:6379": f":{redis.password}@localhost:{redis_port}",
            "https://s3.example.com": self.servers["OTCPIPE_S3_ENDPOINT"],
            "eu-central-1": "us-east-1",
            "/etc/otcpipe": str(folder),
            "otcpipe.dump": str(folder / "otcpipe.dump"),
        }
        self.settings = self.filled(blocks("Managed servers")[0])
        self.running: list[subprocess.Popen[bytes]] = []

    def filled(self, text: str) -> str:
        for name, place in self.places.items():
            text = text.replace(name, place)
        return text

    def environment(self) -> dict[str, str]:
        """What the settings of the document come to."""
        printed = self.run("env -0").stdout.split("\0")
        return {
            name: text for name, _, text in (one.partition("=") for one in printed) if name.startswith("OTCPIPE_")
        }

    def run(self, commands: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run commands in a shell that has the settings."""
        done = subprocess.run(self._shell(commands), env=self._environ(), capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def serve(self, command: str) -> None:
        """Run a service until the end of the test."""
        with (self.folder / "services.log").open("ab") as log:
            self.running.append(
                subprocess.Popen(
                    self._shell(f"exec {command}"),
                    env=self._environ(),
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _shell(self, commands: str) -> list[str]:
        return ["bash", "-euc", f"{self.settings}\n{self.filled(commands)}"]

    def _environ(self) -> dict[str, str]:
        own = {name: text for name, text in os.environ.items() if not name.startswith("OTCPIPE")}
        home = {"HOME": str(self.folder), "OTCPIPE_HOME": str(self.folder / "none")}
        return (
            own
            | home
            | {"PATH": PROGRAMS, "OTCPIPE_FINRA_URL": "http://127.0.0.1:9", "OTCPIPE_TELEMETRY_PORT": "19464"}
        )


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    tmp_path = tmp_path_factory.mktemp("managed")
    servers = start_servers(tmp_path / "servers", durable=False, environ={}, ready=READY)
    authority = Authority(tmp_path)
    names = ("OTCPIPE_DATABASE_URL", "OTCPIPE_REDIS_URL")
    database, redis = (urlsplit(servers.environment[name]).port or 0 for name in names)
    with (
        PostgresTlsWire(database, authority.context) as postgres_wire,
        TlsWire(redis, authority.context) as redis_wire,
    ):
        found = Managed(tmp_path, servers, postgres_wire.port, redis_wire.port)
        yield found
        for process in found.running:
            kill(process)
    servers.stop(quick=True)


def make_bucket(managed: Managed, name: str) -> None:
    """Make a bucket, as an administrator does."""
    ObjectStore(
        settings.load(managed.environment() | {"OTCPIPE_S3_BUCKET": name, "OTCPIPE_HOME": "/nonexistent"})
    ).create_bucket()


def tables(managed: Managed) -> dict[str, list[str]]:
    """All tables once nothing is due."""
    with changed_environment(managed.environment()):
        return all_tables(querying(managed.environment()))


@pytest.fixture(scope="module")
def password(managed: Managed) -> str:
    """Set the servers up and start all services; gives the reader's password."""
    _, setup, services, second = blocks("Managed servers")
    printed = managed.run(setup.splitlines()[0]).stdout
    for service in (*services.splitlines(), second.splitlines()[0]):
        managed.serve(service)
    return printed.split()[-1]


@pytest.fixture(scope="module")
def collected(managed: Managed, password: str) -> dict[str, list[str]]:
    """Import two weeks and withdraw one; gives all tables."""
    imports = " && ".join(f"otcpipe import --wait {file}" for file in FILES)
    managed.run(
        f"{imports} && otcpipe withdraw --wait --reason wrong $(otcpipe captures --json | python -c '{NEWEST}')"
    )
    found = tables(managed)
    assert found["records"] and found["decision"]
    return found


def test_everything_is_reached_with_tls_alone_by_workers_of_two_machines_and_readers(
    managed: Managed, password: str
) -> None:
    url = managed.environment()["OTCPIPE_DATABASE_URL"]
    with psycopg.connect(re.sub(r"//otcpipe:[^@]+@", f"//otcpipe_reader:{password}@", url)) as connection:
        assert connection.pgconn.ssl_in_use
        assert connection.execute("select count(*) from otc.venue_volume").fetchone() is not None
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url.replace("verify-full", "disable"))
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(re.sub("sslrootcert=[^&]+", "sslrootcert=system", url))
    doctor = blocks("Managed servers")[1].splitlines()[1].split("#")[0].strip()
    found = json.loads(managed.run(f"{doctor} --json", check=False).stdout)
    wrong = {one["check"]: one["finding"] for one in found if one["verdict"] == "fail"}
    assert {*wrong} <= {"finra"}, wrong  # no test asks FINRA itself
    health, deadline = blocks("Managed servers")[3].splitlines()[1], time.monotonic() + 90
    while managed.run(health, check=False).returncode != 0:
        assert time.monotonic() < deadline


def test_a_dump_is_loaded_as_the_documents_say(managed: Managed, collected: dict[str, list[str]]) -> None:
    _, _, local, commands = blocks("Backup")
    dump, *load = commands.splitlines()
    url = managed.servers["OTCPIPE_DATABASE_URL"]  # the wheel's programs speak no TLS
    programs = local.splitlines()[-1]
    managed.run(f"{programs}\n{dump.replace('$OTCPIPE_DATABASE_URL', url)}")
    [new] = blocks("A new database")
    managed.run(f"{programs}\nOTCPIPE_DATABASE_URL='{url}?connect_timeout=9'\n{new}")
    with psycopg.connect(url) as connection:
        assert connection.execute("select to_regnamespace('otc')").fetchall() == [(None,)]
    managed.run("\n".join([programs, *load]).replace("$OTCPIPE_DATABASE_URL", url))
    assert differences(tables(managed), collected) == {}


def test_a_copy_restores_everything_into_a_new_database_and_bucket_as_the_documents_say(
    managed: Managed, collected: dict[str, list[str]]
) -> None:
    backup, restore, *_ = blocks("Backup")
    make_bucket(managed, "copies")
    managed.run(backup)
    for process in managed.running:
        kill(process)
    with psycopg.connect(managed.servers["OTCPIPE_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("create database another")
    make_bucket(managed, "another")
    managed.settings = managed.settings.replace("/otcpipe?", "/another?").replace("BUCKET=otcpipe", "BUCKET=another")
    managed.serve(blocks("Managed servers")[2].splitlines()[0])
    managed.run(restore)
    assert differences(tables(managed), collected) == {}


NEWEST = 'import json, sys; print(json.load(sys.stdin)[-1]["capture_id"])'
