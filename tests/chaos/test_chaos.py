"""Whatever goes wrong, the tables end as if nothing had: real servers and workers, killed, paused, cut off."""

from pathlib import Path
from random import Random

import pytest

from otcpipe.pipeline import recovery
from otcpipe.stack import Supervisor
from tests.chaos import scenario, tables
from tests.chaos.disturb import plan
from tests.chaos.run import folder_of, kept_if_failed, run
from tests.chaos.tables import Tables

IN_THE_SUITE = (0,)
SEEDS = [pytest.param(seed, marks=() if seed in IN_THE_SUITE else pytest.mark.chaos) for seed in range(200)]
CAUSES = {"Poisonous"}  # errors allowed in dead letters: three workers in a row were killed in one run


@pytest.mark.timeout(600)  # with the undisturbed run, on a busy machine
@pytest.mark.parametrize("seed", SEEDS)
def test_the_tables_are_those_of_an_undisturbed_run(
    seed: int, victims: Supervisor, undisturbed: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "PATIENCE", recovery.PATIENCE / 10)
    folder = folder_of(f"seed-{seed}", tmp_path)
    print(f"Logs, deeds and tables: {folder}")
    with kept_if_failed(folder):
        rng = Random(seed)
        story = run(victims, folder, [plan(rng) for _ in scenario.PHASES])
        tables.save(folder, undisturbed, story.tables)
        differences = tables.summary(tables.difference(undisturbed, story.tables))
        assert not differences, differences
        assert story.findings == []
        assert {row["error_class"] for row in story.letters} <= CAUSES
