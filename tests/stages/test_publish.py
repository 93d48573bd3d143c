"""Publish: the last stage, where OTCPIPE_PUBLISH is set."""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from otcpipe import resources
from otcpipe.errors import Invalid, TooSoon
from otcpipe.export import manifest, target
from otcpipe.metrics import catalog, definitions
from otcpipe.pipeline import definition, ledger, sessions
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.stages import compute, publish, versions
from tests.conftest import changed_environment
from tests.export.test_export import same, stored
from tests.export.test_lake import in_polars, seen
from tests.support.pipeline import NOON, WEEK, carrier, drive, file_text, functions, observe

T1, OTCE = Partition(WEEK, "T1"), Partition(WEEK, "OTCE")
LATER = Partition(WEEK + timedelta(days=7), "OTCE")
ROWS = [("ABC", "AAAA", 500, 5), ("ABC", "BBBB", 300, 4), ("DEF", "AAAA", 70, 3)]
OUTPUT = {  # version: SHA-256 of what is published. Another output needs another VERSION and a line here.
    1: "37e69df4a4e921a4907920b54d371889c379b244f94aff904ab1c32416db7a2f",
}
Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def root(environment: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """The lake's folder, published to by the pipeline."""
    with changed_environment({"OTCPIPE_PUBLISH": str(tmp_path / "lake")}):
        yield tmp_path / "lake"


def load(partition: Partition = OTCE, later: int = 0, **changed: int) -> Run:
    rows = [(symbol, venue, changed.get(venue, shares), trades) for symbol, venue, shares, trades in ROWS]
    return observe(file_text(rows, partition.tier), partition, NOON + timedelta(days=later))


def published(root: Path) -> set[tuple[str, str]]:
    file = root / manifest.MANIFEST
    entries = json.loads(file.read_bytes())["files"] if file.exists() else []
    return {(one["table"], one["week_ending"]) for one in entries}


def equals_the_histories(root: Path) -> bool:
    for table in {table for table, _ in published(root)}:
        expected = stored(f"select * from otc.{table}_history")
        if same(in_polars(root, table), list(expected[0])) != same(expected, list(expected[0])):
            return False
    return True


def test_without_the_setting_no_stage_follows_the_last_that_all_pass(environment: dict[str, str], sql: Sql) -> None:
    assert "publish" not in {run.stage.name for run in drive(load())}
    assert definition.after(definition.last()) is None
    assert sql("select count(*) from otc.stage_run where stage = 'publish'") == [(0,)]
    assert publish.publish(resources.database(), resources.settings(), WEEK) == {}


def test_each_week_is_published_after_compute_and_again_when_it_is_restated(root: Path, sql: Sql) -> None:
    carried = drive(load())
    stages = [stage.name for stage in definition.running()]
    assert [run.stage.name for run in carried] == stages[-len(carried) :] and "publish" in stages
    assert ("venue_volume", str(WEEK)) in published(root) and ("symbol_summary", str(WEEK)) in published(root)
    before = seen(root)
    assert equals_the_histories(root)
    drive(load(later=1, AAAA=600))
    assert before != seen(root) and equals_the_histories(root)
    assert [row["state"] for row in ledger.partitions(resources.database())] == ["done"]


def test_the_output_is_that_of_the_code_version(root: Path) -> None:
    drive(load(), load(later=1, AAAA=600))
    (path,) = [path for path in seen(root) if path.startswith("venue_volume_history/")]
    rows = pq.ParquetFile(root / path).read().drop_columns(["opened_by", "closed_by", "raw_key"])
    texts = [path.rpartition("/")[0], str(rows.schema.remove_metadata()), sorted(map(str, rows.to_pylist()))]
    assert hashlib.sha256(str(texts).encode()).hexdigest() == OUTPUT[versions.PUBLISH]


def test_run_again_by_its_key_it_writes_only_what_is_missing(root: Path, sql: Sql) -> None:
    (run,) = [run for run in drive(load()) if run.stage.name == "publish"]
    before = seen(root)
    (root / manifest.MANIFEST).unlink()
    drive(ledger.request(resources.database(), Run(run.stage, run.key, run.generation, request="again")))
    assert seen(root) == before
    counts = "select counts from otc.stage_run where stage = 'publish'"
    assert sql(counts) == [({"files written": 0},)], "the files were there"


def test_a_week_that_a_run_is_to_change_is_left_to_that_run(root: Path) -> None:
    waiting = load()
    drive(load(LATER))
    assert published(root) == set(), "its averages look back on the other week"
    drive(waiting)
    assert {week for _, week in published(root)} == {str(WEEK), str(LATER.week_ending)}
    assert equals_the_histories(root)


def test_a_restated_week_is_published_with_the_later_weeks_that_read_it(root: Path) -> None:
    drive(load())
    drive(load(LATER))
    before = published(root)
    drive(load(later=30, AAAA=600))
    assert published(root) == before and equals_the_histories(root)


def test_what_a_trading_day_changes_is_published(root: Path, sql: Sql) -> None:
    drive(load())
    before = seen(root)
    sql("update otc.trading_week set trading_days = 4")  # as if the calendar had not known the fifth
    with resources.database().transaction() as transaction:
        definitions.mark_due(transaction, WEEK)
    compute.compute(resources.database(), WEEK)
    assert publish.publish(resources.database(), resources.settings(), WEEK)["files written"] > 0
    assert equals_the_histories(root) and before != seen(root)
    assert sessions.correct(resources.database(), NOON) == [WEEK]
    compute.compute(resources.database(), WEEK)
    assert publish.publish(resources.database(), resources.settings(), WEEK)["files written"] > 0
    assert equals_the_histories(root)
    assert {path.rpartition("-")[0] for path in before} == {path.rpartition("-")[0] for path in seen(root)}


def test_bytes_that_are_there_already_keep_their_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drive(load())
    before = seen(root)
    monkeypatch.setattr(versions, "COMPUTE", versions.COMPUTE + 1)
    assert publish.publish(resources.database(), resources.settings(), WEEK) == {"files written": 0}
    assert seen(root) == before


def test_while_the_lake_does_not_answer_the_run_waits(environment: dict[str, str], sql: Sql) -> None:
    place = f"s3://{resources.settings()['S3_BUCKET']}/lake-{environment['OTCPIPE_S3_PREFIX'][-8:]}"
    with changed_environment({"OTCPIPE_PUBLISH": place}):
        run = next(drive_to_publish(load()))
        sent: list[tuple[Run, float]] = []
        executor = carrier(lambda run, seconds: sent.append((run, seconds)))
        with changed_environment({"OTCPIPE_S3_ENDPOINT": "http://127.0.0.1:9"}):
            publishing = functions()["publish"]
            executor.execute(run, publishing)
        ((again, seconds),) = sent
        assert seconds > 0
        assert sql("select state, attempts from otc.stage_run where stage = 'publish'") == [("queued", 0)]
        drive(again)
        bucket = target.of(place, resources.settings())
        assert bucket.read(manifest.MANIFEST)


def drive_to_publish(run: Run) -> Iterator[Run]:
    """Execute the stages before publish; yield the runs of publish that follow."""
    waiting, work = [run], functions()
    while waiting:
        one = waiting.pop(0)
        if one.stage.name == "publish":
            yield one
        else:
            carrier(lambda run, _: waiting.append(run)).execute(one, work[one.stage.name])


def test_while_another_publication_runs_it_waits(root: Path) -> None:
    drive(load())
    with resources.database().transaction() as transaction:
        assert transaction.rows("try_publish")[0]["is_locked"]
        with pytest.raises(TooSoon, match="Another publication"):
            publish.publish(resources.database(), resources.settings(), WEEK)


def test_a_bucket_that_does_not_exist_is_no_outage(environment: dict[str, str]) -> None:
    with (
        changed_environment({"OTCPIPE_PUBLISH": "s3://no-such/lake"}),
        pytest.raises(Invalid, match="create it first"),
    ):
        publish.publish(resources.database(), resources.settings(), WEEK)


def test_two_partitions_of_a_week_are_published_together(root: Path, sql: Sql) -> None:
    carried = drive(load(), load(T1))
    assert [run.stage.name for run in carried].count("publish") == 2
    assert sql("select count(*) from otc.stage_run where stage = 'publish' and state = 'done'") == [(2,)]
    assert {table for table, _ in published(root)} <= set(catalog.stored())
