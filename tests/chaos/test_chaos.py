"""Whatever goes wrong, the tables end up as if nothing had: real servers and workers, killed, paused, cut off."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import psycopg
import pytest

from otcpipe import broker, due, letters, messages, reconcile, services
from otcpipe.errors import OtcpipeError
from otcpipe.records import Partition
from otcpipe.stack import Program, Supervisor
from otcpipe.stack.child import Child
from otcpipe.warehouse import Row
from tests.chaos import scenario
from tests.chaos.conftest import run_query
from tests.chaos.disturb import World, disturb
from tests.chaos.proxy import Wire
from tests.conftest import READY, place
from tests.finra_server import Dataset, FinraServer

WIRED = {"postgres": "OTCPIPE_DATABASE_URL", "valkey": "OTCPIPE_REDIS_URL", "seaweedfs": "OTCPIPE_S3_ENDPOINT"}
SEEDS = [
    *(pytest.param(seed) for seed in range(3)),
    *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(3, 60)),
]
CAUSES = {"Poisonous"}  # what a letter may tell after this: a run in which three workers were killed in a row
SETTLED_SECONDS = 60
ACTIVITY = "select pid, state, wait_event, now() - xact_start, left(query, 99) from pg_stat_activity"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_tables_are_those_of_an_undisturbed_run(
    seed: int, victims: Supervisor, undisturbed: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "PATIENCE", reconcile.PATIENCE / 10)
    rng, dataset, told = Random(seed), scenario.dataset(), list[str]()
    with running(victims, dataset, tmp_path) as world:
        for happen, partitions in scenario.PHASES:
            happen(dataset)
            ask(partitions)
            told += disturb(world, rng)
            world.heal()
            told += settle(world)
        print("\n".join(told))
        assert scenario.tables(run_query) == undisturbed
        assert {row["error_class"] for row in letters.find(services.warehouse())} <= CAUSES


def ask(partitions: Sequence[Partition]) -> None:
    settings = services.settings()
    due.ask(services.warehouse(), services.store(), settings["S3_PREFIX"], partitions, broker.send, settings.now())


def settle(world: World) -> list[str]:
    """Wait until all is done, as an operator would have it: reconcile now and then, replay what died."""
    deadline, told = time.monotonic() + SETTLED_SECONDS, list[str]()
    while not all(is_ready(world.environment) for is_ready in READY.values()):
        world.keep_alive()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    while unsettled := _unsettled():
        assert time.monotonic() < deadline, "\n".join(map(str, [*unsettled, *run_query(ACTIVITY), *told]))
        world.keep_alive()
        try:
            told += [f"reconciled {finding.run.stage.name}: {finding.why}" for finding in broker.send_stranded()]
            told += [_replay(letter) for letter in letters.find(services.warehouse(), every=False)]
        except OtcpipeError as error:
            told.append(f"waited: {error}")
        time.sleep(0.2)
    return told


def _unsettled() -> list[object]:
    try:
        waiting: list[object] = list(
            run_query("select stage, key, state, reason from otc.stage_run where state <> 'done'")
        )
        return waiting + run_query("select * from otc.metric_due") + sorted(broker.message_ids())
    except (OtcpipeError, psycopg.Error) as error:
        return [error]


def _replay(letter: Row) -> str:
    run = letters.replay(services.warehouse(), letter, messages.read)
    if run:
        broker.send(run)
    return f"replayed {letter['error_class']}: {letter['reason']}"


@contextmanager
def running(victims: Supervisor, dataset: Dataset, home: Path) -> Iterator[World]:
    """Two workers, whose every connection goes through a wire, on servers that are about to be hurt."""
    with ExitStack() as stack:
        finra = stack.enter_context(FinraServer(dataset, most_bytes=4000))
        more = {"OTCPIPE_FINRA_URL": finra.url, "OTCPIPE_FINRA_RATE": "1000", "OTCPIPE_LEASE": "2"}
        variables = stack.enter_context(place(victims, home, **more))
        ports = {name: urlsplit(variables[variable]).port or 0 for name, variable in WIRED.items()}
        wires = {name: stack.enter_context(Wire(port)) for name, port in ports.items()}
        for name, wire in wires.items():
            variables = variables | {WIRED[name]: variables[WIRED[name]].replace(str(ports[name]), str(wire.port), 1)}
        workers = [_worker(number, home, os.environ | variables) for number in range(2)]
        for worker in workers:
            stack.callback(worker.end, 0)
        servers = {child.program.name: child for child in victims._children}
        yield World(servers, workers, wires, finra, dict(os.environ), _send_again)


def _worker(number: int, home: Path, environment: dict[str, str]) -> Child:
    command = (sys.executable, "-m", "dramatiq", "actors", "--processes", "1", "--threads", "2")
    return Child(Program(f"worker{number}", command, home / f"worker{number}.log", environment=environment))


def _send_again() -> None:
    """A second message for whatever the ledger knows."""
    if not (READY["postgres"](os.environ) and READY["valkey"](os.environ)):
        return
    try:
        with services.warehouse().transaction() as transaction:
            rows = transaction.connection.execute("select * from otc.stage_run").fetchall()
        for row in rows:
            run = reconcile._run(row, services.settings()["S3_PREFIX"])
            if run:
                broker.send(run)
    except OtcpipeError:
        return  # a server went away meanwhile
