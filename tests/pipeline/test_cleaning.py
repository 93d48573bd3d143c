"""Derived objects are removed by age, and made again when something needs them; raw objects stay."""

import json
import subprocess
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.pipeline import cleaning, definition, ledger
from otcpipe.pipeline.cleaning import DerivedObject
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage import keys
from tests.support.pipeline import NOON, WEEK, api_text, drive, observe, reconciled

Here = Callable[..., subprocess.CompletedProcess[str]]
Sql = Callable[..., list[tuple[Any, ...]]]
OLD, NEW = (Partition(WEEK - timedelta(weeks=back), "T1") for back in (20, 0))
CLOCK = {"OTCPIPE_NOW": "2025-12-20T12:00:00+00:00"}


def rows(shares: int) -> list[dict[str, object]]:
    return [{"totalWeeklyShareQuantity": shares}, {"MPID": "BBBB"}, {"totalWeeklyShareQuantity": "1.1234567"}]


def stored(kinds: Iterable[str], partition: Partition | None = None) -> set[str]:
    settings = resources.settings()
    found = {key for kind in kinds for key in resources.store().keys(f"{settings['S3_PREFIX']}/{kind}/")}
    return {key for key in found if partition is None or str(partition.week_ending) in key}


def load() -> None:
    for partition in (OLD, NEW):
        drive(observe(api_text(rows(100), partition), partition, NOON, "all"))
    drive(observe(api_text(rows(150), OLD), OLD, NOON + timedelta(days=1), "all"))


def clean(here: Here, *words: str) -> dict[str, dict[str, Any]]:
    printed = here("clean", "--derived", "--older-than", "90", "--json", *words, **CLOCK)
    assert printed.returncode == 0, printed.stderr
    return {row["kind"]: row for row in json.loads(printed.stdout)}


def test_nothing_is_removed_without_yes(here: Here) -> None:
    load()
    before = stored([*keys.DERIVED, "raw", "fetched"])
    found = clean(here)
    assert {kind: row["objects"] for kind, row in found.items()} == {
        kind: len(stored([kind], OLD)) for kind in keys.DERIVED
    }
    assert all(found[kind]["objects"] == 2 for kind in ("parsed", "normalized", "rejected"))
    assert all(row["bytes"] > 0 for row in found.values())
    assert stored([*keys.DERIVED, "raw", "fetched"]) == before


def test_old_derived_objects_are_removed_and_raw_ones_stay(here: Here) -> None:
    load()
    kept = stored(["raw", "fetched"]) | stored(keys.DERIVED, NEW)
    clean(here, "--yes")
    assert stored([*keys.DERIVED, "raw", "fetched"]) == kept
    assert {row["objects"] for row in clean(here, "--yes").values()} == {0}
    assert "No derived objects" in here("clean", "--derived", "--older-than", "90", **CLOCK).stdout
    assert here("verify", "--all", **CLOCK).returncode == 0


def test_what_needs_a_removed_object_makes_it_again(here: Here, sql: Sql) -> None:
    load()
    before, versions = stored(keys.DERIVED), "select * from otc_internal.volume_record order by tableoid, ctid"
    records = sorted(map(str, sql(versions)))
    clean(here, "--yes")
    prefix = resources.settings()["S3_PREFIX"]
    [[normalized, capture]] = sql(
        "select normalized_key, capture_id from otc.capture where week_ending = %s order by observed_at limit 1",
        OLD.week_ending,
    )
    asked = here("reprocess", normalized, "--stage", "persist", "--dry-run", **CLOCK)
    assert asked.returncode == 0
    assert "was removed: it is made again first" in asked.stdout
    asked = here("reprocess", normalized, "--stage", "compute", "--dry-run", **CLOCK)
    assert asked.returncode == 0 and "was removed" not in asked.stdout, "it reads tables"
    unknown = here("reprocess", normalized.replace(normalized[-72:-8], "0" * 64), "--dry-run", **CLOCK)
    assert (unknown.returncode, "does not exist" in unknown.stderr) == (2, True)
    again = Run(definition.named("persist"), keys.parse(normalized, prefix), capture, request="again")
    ledger.request(resources.database(), again)
    carried = drive(again)
    assert {"parse", "normalize", "persist"} <= {run.stage.name for run in carried}
    assert normalized in stored(keys.DERIVED)
    sql("truncate otc_internal.volume_record, otc.capture, otc.capture_quality, otc.reject, otc.stage_run cascade")
    clean(here, "--yes")
    drive(*reconciled())
    assert stored(keys.DERIVED) == before
    assert sorted(map(str, sql(versions))) == records


def test_a_partition_that_is_under_way_keeps_its_objects(here: Here, sql: Sql) -> None:
    load()
    sql("update otc.stage_run set state = 'queued' where week_ending = %s and stage = 'persist'", OLD.week_ending)
    assert {row["objects"] for row in clean(here).values()} == {0}
    said = " ".join(here("clean", "--derived", "--older-than", "90", **CLOCK).stdout.split())
    assert said.endswith(
        "can be removed. Those of 1 partition are kept while runs may read them: see `otcpipe status`."
    )


def test_nothing_else_can_be_removed(here: Here) -> None:
    load()
    [key, *_] = stored(["raw"])
    with pytest.raises(ValueError, match="/raw/"):
        cleaning.remove(resources.store(), DerivedObject(key, "parsed", OLD, 1))
    printed = here("clean", "--older-than", "90")
    assert printed.returncode == 2
    assert "only derived objects" in printed.stderr
    assert here("clean", "--derived").returncode == 2
    assert here("clean", "--derived", "--older-than", "-1").returncode == 2
