"""Separate servers for the disturbances, and the tables of an undisturbed run."""

from collections.abc import Iterator

import pytest

from otcpipe.stack import Supervisor, start_servers
from otcpipe.storage.postgres import Database
from tests.chaos.run import run
from tests.chaos.tables import Tables
from tests.conftest import READY


@pytest.fixture(scope="package")
def victims(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    supervisor = start_servers(tmp_path_factory.mktemp("victims"), durable=False, environ={}, ready=READY)
    template = Database(supervisor.environment["OTCPIPE_DATABASE_URL"])
    template.migrate()
    template.close()
    yield supervisor
    supervisor.stop(quick=True)


@pytest.fixture(scope="package")
def undisturbed(victims: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The scenario's tables after an undisturbed run with a single worker thread at a time."""
    story = run(victims, tmp_path_factory.mktemp("undisturbed"), None, workers=1, threads=1)
    assert (story.findings, story.letters) == ([], [])
    return story.tables
