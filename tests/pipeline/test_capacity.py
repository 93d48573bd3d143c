"""What a backfill takes, by the usual sizes."""

import json
import subprocess
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import otcpipe
from otcpipe.datasets import TIERS
from otcpipe.pipeline import capacity
from otcpipe.pipeline.planning import partitions_between
from otcpipe.records import Partition

Here = Callable[..., subprocess.CompletedProcess[str]]
LAST = date(2026, 9, 4)
partitions = st.builds(
    lambda back, tier: Partition(LAST - timedelta(weeks=back), tier), st.integers(0, 300), st.sampled_from([*TIERS])
)


def test_the_whole_history_is_what_was_measured() -> None:
    found = capacity.of(partitions_between(LAST - timedelta(weeks=248), LAST, TIERS), 18)
    measured = {
        "records": 55_600_000,
        "table_bytes": 12_800_000_000,
        "database_bytes": 22_000_000_000,
        "object_bytes": 5_500_000_000,
    }
    assert found.weeks == 249
    for name, value in measured.items():
        assert abs(getattr(found, name) / value - 1) < 0.02, name
    assert found.seconds >= found.requests / 18


def rounded(count: int) -> str:
    return f"{count / 10**9:.2g} GB" if count >= 10**9 else f"{count / 10**6:.0f} MB"


@pytest.mark.parametrize("weeks", [1, 52, 249])
def test_the_documents_have_these_figures(weeks: int) -> None:
    text = (Path(otcpipe.__file__).parent / "cli" / "OPERATIONS.md").read_text()
    section = text.partition("## Capacity\n")[2].partition("\n## ")[0]
    found = capacity.of(partitions_between(LAST - timedelta(weeks=weeks - 1), LAST, TIERS), 18)
    figures = {
        "requests to FINRA": f"{found.requests:,}",
        "database": rounded(found.database_bytes),
        "objects, half": rounded(found.object_bytes),
        "memory": rounded(found.memory_bytes),
    }
    for heading, figure in figures.items():
        [line] = [line for line in section.splitlines() if line.startswith(f"| {heading}")]
        assert f"| {figure} |" in line


def test_the_requests_of_a_week_are_its_pages_and_the_first_again() -> None:
    assert [capacity.usual_requests(Partition(LAST, tier)) for tier in TIERS] == [16, 35, 6]


@given(st.sets(partitions), partitions, st.integers(1, 40))
def test_each_partition_adds_to_what_is_taken(some: set[Partition], one: Partition, rate: int) -> None:
    less, more = capacity.of(some - {one}, rate), capacity.of(some | {one}, rate)
    alone = capacity.of([one], rate)
    for name in ("partitions", "requests", "rows", "records", "database_bytes", "object_bytes"):
        assert getattr(more, name) == getattr(less, name) + getattr(alone, name)
    assert less.seconds <= more.seconds <= less.seconds + alone.seconds
    assert more.disk_bytes > less.disk_bytes


@given(st.sets(partitions, min_size=1), st.integers(1, 39))
def test_a_higher_rate_or_fewer_workers_never_take_more(some: set[Partition], rate: int) -> None:
    slow, fast = capacity.of(some, rate, workers=4), capacity.of(some, rate + 1, workers=1)
    assert fast.seconds <= slow.seconds
    assert fast.memory_bytes < slow.memory_bytes


def test_plan_needs_no_server(here: Here) -> None:
    nowhere = {
        "OTCPIPE_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "OTCPIPE_REDIS_URL": "redis://127.0.0.1:9/0",
        "OTCPIPE_S3_ENDPOINT": "http://127.0.0.1:9",
        "OTCPIPE_NOW": "2026-11-23T12:00:00-05:00",
    }
    printed = here("plan", "--from", "2026-10-02", "--json", **nowhere)
    assert printed.returncode == 0, printed.stderr
    [row] = json.loads(printed.stdout)
    # published by then: T1 up to 2026-11-06, the others up to 2026-10-23
    assert (row["partitions"], row["requests"]) == (6 + 4 + 4, 6 * 16 + 4 * (35 + 6))
    text = here("plan", "--from", "2026-10-02", "--tier", "T1", **nowhere).stdout
    assert "96 requests, at most 18 a second" in text
    assert "432,000, 367,200 of them records" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--from", "2026-11-02", "--to", "2026-10-02"), "is not before"),
        (("--from", "2013-11-02"), "was never published"),
        (("--from", "yesterday"), "is not a date"),
        (("--from", "2099-01-02"), "has not ended yet"),
        ((), "--from"),
    ],
)
def test_wrong_weeks_are_refused(here: Here, words: tuple[str, ...], sentence: str) -> None:
    printed = here("plan", *words, OTCPIPE_NOW="2026-11-23T12:00:00-05:00")
    assert printed.returncode == 2
    assert sentence in printed.stderr
