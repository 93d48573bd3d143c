"""Persist runs again on a restated partition and its worker is disturbed at one exact point: nothing changes."""

from collections.abc import Iterator

import pytest

from otcpipe.stack import Supervisor
from tests.chaos import operations, scenario, tables
from tests.chaos.moments import Fate, Point, strike
from tests.chaos.run import settle
from tests.chaos.world import World, run_query, running

RESTATED = scenario.partition(scenario.REVERTED)


@pytest.fixture(scope="module")
def world(victims: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two workers, and a partition that was published and then restated."""
    finra, operator = scenario.dataset(), operations.Operator()
    with running(victims, finra, tmp_path_factory.mktemp("moments")) as world:
        for happen in (scenario.publish, scenario.restate):
            happen(finra)
            operator.fetch([RESTATED])
            settle(world, [])
        yield world


@pytest.mark.parametrize("point", Point, ids=lambda point: point.name.lower())
@pytest.mark.parametrize("fate", Fate, ids=lambda fate: fate.name.lower())
def test_a_worker_that_is_struck_at_a_point_of_persist_leaves_every_table_as_it_was(
    point: Point, fate: Fate, world: World
) -> None:
    before = tables.read(run_query, {})
    assert strike(world, RESTATED, point, fate, lambda: operations.persist_again(RESTATED))
    world.heal()
    settle(world, [])
    differences = tables.difference(before, tables.read(run_query, {}))
    assert not differences, tables.summary(differences)


def test_persist_twice_leaves_every_table_as_it_was(world: World) -> None:
    before = tables.read(run_query, {})
    for _ in range(2):
        operations.persist_again(RESTATED)
        settle(world, [])
    differences = tables.difference(before, tables.read(run_query, {}))
    assert not differences, tables.summary(differences)
