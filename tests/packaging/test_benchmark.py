"""The benchmark: that it runs, with some hundred rows instead of 264,000, and what it makes of what it timed."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from benchmark.measure import Cost
from benchmark.report import RATIOS, TARGETS, Line, check, medians, show

from otcpipe.pipeline.definition import PIPELINE

RECORDED: dict[str, float] = json.loads(RATIOS.read_text())


def line(name: str, seconds: float, floor: float | None = None) -> Line:
    return Line(name, Cost(seconds), 1, Cost(floor) if floor else None)


def test_each_stage_has_a_recorded_ratio() -> None:
    assert list(RECORDED)[: len(PIPELINE)] == [stage.name for stage in PIPELINE]


@pytest.mark.parametrize("stage", RECORDED)
def test_a_ratio_that_is_worse_by_more_than_a_third_fails_the_check(
    stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [line(name, ratio, 1) for name, ratio in RECORDED.items() if name != stage]
    assert check([*others, line(stage, 1.33 * RECORDED[stage], 1)]) == 0
    assert check([*others, line(stage, 1.34 * RECORDED[stage], 1)]) == 1
    assert capsys.readouterr().out.startswith(f"{stage}: {1.34 * RECORDED[stage]:.1f} times its floor")


def test_of_several_repetitions_the_one_of_median_ratio_is_reported_with_the_spread() -> None:
    """The one of three seconds took the longest, on a machine that was slow: its floor took long as well."""
    found = medians(
        [line("parse", 3, 2), line("parse", 2, 1), line("all", 9), line("parse", 1, 0.25), line("all", 8)]
    )
    assert [(one.name, one.cost.seconds, one.ratio) for one in found] == [("parse", 2, 2), ("all", 9, None)]
    assert [one.spread for one in found] == [(1, 2, 3), (8, 9)]


@pytest.mark.parametrize(
    ("measured", "holds"),
    [
        (Line("persist", Cost(2), 1, Cost(1)), True),
        (Line("persist", Cost(2.01), 1, Cost(1)), False),
        (Line("12 weeks, 2 workers", Cost(10, 500), 600_000), True),
        (Line("12 weeks, 2 workers", Cost(10, 501), 600_000), False),
        (Line("12 weeks, 2 workers", Cost(10, 500), 599_999), False),
        (Line("a record with its indexes", room=334), False),
    ],
)
def test_each_number_is_compared_with_its_target(measured: Line, holds: bool) -> None:
    assert measured.asked
    assert all(asked.holds(measured) for asked in measured.asked) is holds


def test_a_missed_target_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    show([line("compute", 3, 1), line("persist", 2, 1)])
    printed = capsys.readouterr().out
    assert "at most 2 s: NOT met" in printed
    assert "at most 2 x\n" in printed.replace(" \n", "\n").replace("  ", "")


def test_it_times_every_stage_and_everything_that_has_a_target() -> None:
    command = [str(Path(__file__).parents[2] / "scripts/bench"), "--small", "--quick", "--json"]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    others = {"week 50", "backfill, newest first", "a week beside readers", "95 % of answers"}
    assert {*RECORDED, *TARGETS} - others <= {line["name"] for line in found}
    assert all(line["seconds"] > 0 or line["bytes_per_row"] > 0 for line in found)


def test_it_times_a_backfill_beside_finras_limit() -> None:
    command = [str(Path(__file__).parents[2] / "scripts/bench"), "--small", "--backfill", "2", "--json"]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    backfill = next(line for line in found if line["name"] == "backfill, newest first")
    assert backfill["rows"] > 0
    assert backfill["floor_seconds"] == pytest.approx(2 * 3 * 3 / 18, abs=0.01)  # a page, itself again, the last row


def test_it_times_what_reads_a_history_that_is_kept() -> None:
    command = [str(Path(__file__).parents[2] / "scripts/bench"), "--small", "--history", "2", "--resume", "--json"]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    asked = {"page of a symbol, all weeks", "otcpipe show SYMBOL", "export, a metric's week"}
    assert asked <= {line["name"] for line in found if line["seconds"] > 0}
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "week" not in {line["name"].split()[0] for line in json.loads(again.stdout)}, "both weeks are kept"


def test_it_times_a_week_beside_readers() -> None:
    command = [str(Path(__file__).parents[2] / "scripts/bench"), "--small", "--readers", "5", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {line["name"]: line for line in json.loads(done.stdout)}
    assert found["a week beside readers"]["floor_seconds"] == found["a week alone"]["seconds"]
    assert found["95 % of answers"]["seconds"] > 0
    assert re.search(r"5 readers: \d+ answers, .*; no errors\n", done.stderr), done.stderr
