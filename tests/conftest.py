"""Real servers, once a session; a database of its own, a key prefix and an empty Redis for each test."""

import itertools
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import psycopg
import pytest
import redis
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadScopeScheduling

from otcpipe import resources
from otcpipe.broker import actors
from otcpipe.cli import app
from otcpipe.stack import Supervisor, start_servers
from otcpipe.storage import postgres, s3
from otcpipe.storage.postgres import Database
from tests.support.warm import WarmProcess, started

pytest_plugins = ["tests.support.watchdog"]
DATA = Path(__file__).parent / "data"
READY = {"postgres": postgres.is_up, "valkey": actors.is_up, "seaweedfs": s3.is_up}
SHARED = re.compile(r'@pytest\.fixture\(scope="[^)]+\)\ndef (\w+)')  # a fixture that is made once for several tests
LONGEST = (  # folders, modules and tests, by their time
    "tests/chaos",
    "tests/stack",
    "tests/pipeline/test_rebuild.py",
    "tests/cli/test_commands.py::test_up",
    "tests/cli/test_wrong_lines.py",
    "tests/metrics",
    "tests/packaging/test_benchmark.py::test_it_times",
    "tests/packaging/test_wheel.py",
    "tests/packaging/test_compose.py",
    "tests/pipeline/test_year.py",
    "tests/test_fuzz.py",
    "tests/audit",
    "tests/export",
    "tests/stages",
    "tests/storage/test_cancellation.py",
    "tests/pipeline",
)
MOST_WORKERS = 6  # each has servers of its own
numbers = itertools.count(1)
hypothesis_settings.register_profile("otcpipe", deadline=None)  # a slow machine is no fault of what is tested
hypothesis_settings.load_profile("otcpipe")


def pytest_configure() -> None:
    """Let SIGINT work in this process and in all that it starts: a shell's background jobs inherit it as ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Use one worker more than cores: tests often wait for servers."""
    return min((os.cpu_count() or 1) + 1, MOST_WORKERS)


class SharingScheduler(LoadScopeScheduling):  # type: ignore[misc]
    """Runs the tests that share a fixture of their folder or module in one worker, which then makes it once.

    xdist's own groups, which are marks, have no effect with pytest 9.2: they rely on an attribute that it ignores.
    """

    def _split_scope(self, nodeid: str) -> str:
        return shared_place(nodeid.partition("::")[0]) or nodeid


@cache
def shared_place(module: str) -> str | None:
    """Return the folder or module whose tests share a fixture that the module uses, else None."""
    path, text = Path(module), _text(Path(module))
    of_folder = SHARED.findall(_text(path.with_name("conftest.py"))) if path.parent.name != "tests" else []
    if any(re.search(rf"\b{name}: ", text) for name in of_folder):
        return str(path.parent)
    return module if SHARED.search(text) else None


def _text(module: Path) -> str:
    path = DATA.parents[1] / module
    return path.read_text() if path.exists() else ""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharingScheduler | None:
    config.option.loadscopereorder = False  # the order is that of `pytest_collection_modifyitems`
    return SharingScheduler(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In several processes, begin with what takes longest, so that none is left with it at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(item.nodeid))


def rank(nodeid: str) -> int:
    return next((number for number, place in enumerate(LONGEST) if nodeid.startswith(place)), len(LONGEST))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """PostgreSQL, Valkey and SeaweedFS; one that does not start is a failure, never a skip."""
    for name in [name for name in os.environ if name.startswith("OTCPIPE_")]:
        del os.environ[name]
    supervisor = start_servers(tmp_path_factory.mktemp("stack"), durable=False, environ={}, ready=READY)
    warehouse_of_template = Database(supervisor.environment["OTCPIPE_DATABASE_URL"])
    warehouse_of_template.migrate()
    warehouse_of_template.close()
    yield supervisor
    supervisor.stop(quick=True)


@contextmanager
def place(servers: Supervisor, home: Path, **more: str) -> Iterator[dict[str, str]]:
    """The variables of a place of one's own on the servers, set for this process too while it lasts."""
    number = f"t{next(numbers)}_{secrets.token_hex(4)}"
    server = servers.environment["OTCPIPE_DATABASE_URL"].removesuffix("/otcpipe")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        # Copies files, since a copy by way of the write-ahead log takes ten times as long.
        admin.execute(f"create database {number} template otcpipe strategy file_copy".encode())
    settings = servers.environment | {
        "OTCPIPE_HOME": str(home),
        "OTCPIPE_DATABASE_URL": f"{server}/{number}",
        "OTCPIPE_S3_PREFIX": f"test/{number}",
        "OTCPIPE_FINRA_URL": "http://127.0.0.1:9",  # nobody: no test asks FINRA itself
    }
    settings |= more
    with redis.Redis.from_url(settings["OTCPIPE_REDIS_URL"]) as client:
        client.flushall()
    with changed_environment(settings):
        yield settings
    rights = suppress(psycopg.errors.InsufficientPrivilege)  # autovacuum is in it: then it stays until the end
    with rights, psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"drop database {number} with (force)".encode())


@pytest.fixture
def environment(servers: Supervisor, tmp_path: Path) -> Iterator[dict[str, str]]:
    with place(servers, tmp_path / "home") as variables:
        yield variables


@pytest.fixture
def sql(environment: dict[str, str]) -> Callable[..., list[tuple[Any, ...]]]:
    """Run a query on the test's database; its rows."""
    return querying(environment)


def querying(variables: dict[str, str]) -> Callable[..., list[tuple[Any, ...]]]:
    def query(text: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(variables["OTCPIPE_DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(text.encode(), values)
            return cursor.fetchall() if cursor.description else []

    return query


@contextmanager
def changed_environment(changes: dict[str, str]) -> Iterator[None]:
    """Change variables of this process while the block lasts."""
    with pytest.MonkeyPatch.context() as process:
        for name, text in changes.items():
            process.setenv(name, text)
        forget()
        yield
        forget()


def forget() -> None:
    """Let this process read its variables again, and connect again."""
    if resources.database.cache_info().currsize:
        resources.database().close()
    for made in (resources.settings, resources.store, resources.database, resources.finra, actors.broker):
        made.cache_clear()


@pytest.fixture(scope="session")
def imported() -> Iterator[socket.socket]:
    """A process that has imported all of otcpipe, from which others are forked."""
    with started() as channel:
        yield channel


@pytest.fixture
def workers(
    environment: dict[str, str], imported: socket.socket, tmp_path: Path
) -> Iterator[Callable[..., WarmProcess]]:
    """Starts a real `dramatiq actors` process of all queues or some, as often as it is called."""
    running: list[WarmProcess] = []

    def start(*queues: str, **more: str) -> WarmProcess:
        command = [
            "dramatiq",
            "actors",
            "--processes",
            "1",
            "--threads",
            "4",
            *(["--queues", *queues] if queues else []),
        ]
        with (tmp_path / f"worker{len(running)}.log").open("wb") as log:
            process = WarmProcess(imported, command, os.environ | environment | more, log, log)
        running.append(process)
        return process

    yield start
    for process in running:
        kill(process)


def kill(process: "subprocess.Popen[bytes] | WarmProcess") -> None:
    """`kill -9` of a process and its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def otcpipe(environment: dict[str, str], imported: socket.socket) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a process of its own."""

    def run(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        return run_command(imported, environment | more, *arguments)

    return run


def run_command(
    imported: socket.socket, variables: dict[str, str], *arguments: object
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that is forked from the one that has imported everything."""
    command = ["otcpipe", *(os.fspath(one) if isinstance(one, Path) else str(one) for one in arguments)]
    with TemporaryFile() as out, TemporaryFile() as err:
        process = WarmProcess(imported, command, os.environ | variables, out, err)
        code = process.wait(100)
        printed = [file.read().decode() for file in (out, err) if not file.seek(0)]
    return subprocess.CompletedProcess(command, code, *printed)


@pytest.fixture
def here(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in this process, which is a second quicker."""

    def run(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["otcpipe", *map(str, arguments)])
        with changed_environment(more) if more else nullcontext(), pytest.raises(SystemExit) as exited:
            app()
        printed = capsys.readouterr()
        code = exited.value.code
        return subprocess.CompletedProcess([], code if isinstance(code, int) else 1, printed.out, printed.err)

    return run
