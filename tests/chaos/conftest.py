"""Servers of their own for what goes wrong, and the tables of a run in which nothing does."""

import time
from collections.abc import Iterator

import pytest

from otcpipe import keys, ledger, services, stages
from otcpipe.ledger import Run
from otcpipe.stack import Supervisor, start_servers
from otcpipe.warehouse import Warehouse
from tests.chaos import scenario
from tests.conftest import READY, place
from tests.finra_server import FinraServer
from tests.pipeline import drive


@pytest.fixture(scope="package")
def victims(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    supervisor = start_servers(tmp_path_factory.mktemp("victims"), durable=False, environ={}, ready=READY)
    template = Warehouse(supervisor.environment["OTCPIPE_DATABASE_URL"])
    template.migrate()
    template.close()
    yield supervisor
    supervisor.stop(quick=True)


@pytest.fixture(scope="package")
def undisturbed(victims: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The scenario's tables when all goes well, made in this process."""
    dataset, home = scenario.dataset(), tmp_path_factory.mktemp("undisturbed")
    with FinraServer(dataset) as finra, place(victims, home, OTCPIPE_FINRA_URL=finra.url, OTCPIPE_FINRA_RATE="1000"):
        for number, (happen, partitions) in enumerate(scenario.PHASES):
            happen(dataset)
            for partition in partitions:
                key = keys.of_partition(services.settings()["S3_PREFIX"], partition)
                drive(
                    ledger.request(services.warehouse(), Run(stages.named("fetch"), key, request=f"phase {number}"))
                )
            time.sleep(0.01)
        return scenario.tables(run_query)


def run_query(text: str) -> list[tuple[object, ...]]:
    """Rows of a query on the place's database."""
    with services.warehouse().transaction() as transaction:
        return [tuple(row.values()) for row in transaction.connection.execute(text.encode()).fetchall()]
