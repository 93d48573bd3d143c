"""Lost runs are found whatever was lost: messages, workers, Redis, the ledger."""

import json
import subprocess
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from otcpipe import resources
from otcpipe.broker import actors
from otcpipe.pipeline import claims, definition, ledger, recovery
from otcpipe.pipeline.definition import PIPELINE
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition, StageResult
from otcpipe.stages import versions
from otcpipe.storage import keys
from tests.support.pipeline import NOON, WEEK, drive, fail, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
OTCE = Partition(WEEK, "OTCE")
CONTENT = file_text([("A", "AAAA", 1, 1), ("B", "BBBB", 2, 1)])
LATER = file_text([("A", "AAAA", 7, 1), ("B", "BBBB", 2, 1)])
RECORDS = """
    select symbol, mpid, share_volume::text, b.observed_at::text, e.observed_at::text
    from otc_internal.volume_record as r
    inner join otc.capture as b on b.capture_id = r.opened_by
    left join otc.capture as e on e.capture_id = r.closed_by order by 1, 2, 4
"""


@pytest.fixture
def found(environment: dict[str, str]) -> Callable[..., list[tuple[Run, str]]]:
    def find(message_ids: Collection[str] = ()) -> list[tuple[Run, str]]:
        prefix = environment["OTCPIPE_S3_PREFIX"]
        findings = recovery.find(resources.database(), resources.store(), prefix, message_ids, datetime.now(UTC))
        return [(finding.run, finding.why) for finding in findings]

    return find


Found = Callable[..., list[tuple[Run, str]]]


def pass_time(sql: Sql) -> None:
    sql(
        """
        update otc.stage_run set
            queued_at = queued_at - interval '1 hour', lease_until = lease_until - interval '1 hour'
        """
    )


def test_a_run_without_a_message_is_found_once_its_message_ought_to_have_come(found: Found, sql: Sql) -> None:
    run = observe(CONTENT, OTCE)
    assert found() == [], "it may still be on its way"
    pass_time(sql)
    assert found() == [(run, "its message is gone")]
    assert found([run.message_id]) == [], "it waits in a queue"
    drive(run)
    assert found() == []


def test_a_run_under_a_live_lease_is_left_alone_and_found_when_the_lease_is_over(found: Found, sql: Sql) -> None:
    run = observe(CONTENT, OTCE)
    claims.claim(resources.database(), run)
    assert found() == []
    pass_time(sql)
    assert found() == [(run, "its worker is gone")]


def test_a_dead_run_is_left_until_it_is_replayed(found: Found, sql: Sql) -> None:
    run = observe(CONTENT, OTCE)
    fail(run, "dead")
    pass_time(sql)
    assert found() == []


def test_only_messages_that_wait_or_that_a_living_worker_has_count(
    found: Found, environment: dict[str, str], sql: Sql
) -> None:
    run = observe(CONTENT, OTCE)
    pass_time(sql)
    actors.send(run)
    assert actors.message_ids() == {run.message_id}
    with redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"]) as client:
        name = client.lpop("otcpipe:cache")
        assert actors.message_ids() == set(), "a body that no queue names"
        client.sadd("otcpipe:__acks__.other.cache", name)
        client.zadd("otcpipe:__heartbeats__", {"other": 1})
        assert actors.message_ids() == set(), "held by a worker that is gone"
        client.zadd("otcpipe:__heartbeats__", {"other": 10**13})
        assert actors.message_ids() == {run.message_id}
    actors.send(run, 60)
    assert actors.message_ids() == {run.message_id}, "a delayed one too"


def test_a_dead_message_counts_until_its_death_is_in_the_ledger(found: Found, sql: Sql) -> None:
    run = observe(CONTENT, OTCE)
    pass_time(sql)
    actors.send(run)
    consumer = actors.broker().consume("cache", prefetch=1, timeout=100)
    message = next(consumer)
    assert message is not None
    consumer.nack(message)
    assert actors.message_ids() == {run.message_id}
    actors.record_dead_messages()
    assert actors.message_ids() == set()
    assert found() == []


def test_after_the_loss_of_postgres_all_is_made_again_from_the_stored_objects(found: Found, sql: Sql) -> None:
    drive(observe(CONTENT, OTCE), observe(LATER, OTCE, NOON + timedelta(days=1)))
    before = sql(RECORDS)
    assert len(before) == 3
    sql(
        "truncate otc.capture, otc_internal.volume_record, otc.stage_run, otc_internal.metric_due,"
        " otc.symbol_summary, otc.venue_share"
    )
    assert {why for _, why in found()} == {"its object is in no ledger"}
    drive(*(ledger.request(resources.database(), run) for run, _ in found()))
    assert sql(RECORDS) == before
    assert found() == []


def test_what_an_older_version_made_is_redone_from_its_first_stage_on(
    found: Found, environment: dict[str, str], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive(observe(CONTENT, OTCE), observe(LATER, OTCE, NOON + timedelta(days=1)))
    before, prefix = sql(RECORDS), environment["OTCPIPE_S3_PREFIX"]
    assert recovery.stale(resources.database(), prefix, "again") == []
    newer = tuple(
        replace(stage, code_version=versions.NORMALIZE + 1) if stage.name == "normalize" else stage
        for stage in PIPELINE
    )
    monkeypatch.setattr(definition, "PIPELINE", newer)
    monkeypatch.setattr(recovery, "VERSIONS", {stage.name: stage.code_version for stage in newer})
    stale = recovery.stale(resources.database(), prefix, "again")
    assert [(one.run.stage.name, one.why) for one in stale] == [
        ("normalize", f"made by version {versions.NORMALIZE}")
    ] * 2
    carried = drive(*(ledger.request(resources.database(), one.run) for one in stale))
    assert [run.stage.name for run in carried].count("compute") == 2
    assert recovery.stale(resources.database(), prefix, "again") == []
    assert sql(RECORDS) == before


def test_a_partition_that_was_late_is_asked_for_again_after_an_hour(found: Found, sql: Sql) -> None:
    run = Run(definition.named("fetch"), keys.of_partition(resources.settings()["S3_PREFIX"], OTCE))
    held = claims.claim(resources.database(), run)
    assert isinstance(held, claims.Claim)
    claims.finish(resources.database(), held, StageResult(None, reason="not published yet"))
    assert found() == []
    sql("update otc.stage_run set finished_at = now() - interval '2 hours'")
    assert [(run.stage.name, why) for run, why in found()] == [("fetch", "it was not published when last requested")]
    drive(observe(CONTENT, OTCE))
    assert found() == [], "a file was imported"


def test_the_command_says_what_it_would_do_and_does_it(here: Command, found: Found, sql: Sql) -> None:
    run = observe(CONTENT, OTCE)
    pass_time(sql)
    (row,) = json.loads(here("reconcile", "--dry-run", "--json").stdout)
    assert (row["stage"], row["key"], row["why"]) == ("cache", str(run.key), "its message is gone")
    assert actors.message_ids() == set()
    assert "1 lost run sent again." in here("reconcile").stdout
    assert actors.message_ids() == {run.message_id}
    assert "No lost runs." in here("reconcile").stdout


def test_many_keys_can_be_run_again_at_once(here: Command, found: Found, sql: Sql) -> None:
    weeks = [WEEK, WEEK - timedelta(days=7), WEEK - timedelta(days=14)]
    drive(*(observe(file_text([("A", "AAAA", n, 1)]), Partition(week, "OTCE")) for n, week in enumerate(weeks)))
    dry = here("reprocess", "--prefix", "raw/OTCE/2025-11", "--dry-run").stdout
    assert "parse would run again on 2 keys, and the stages after it." in dry
    one = here("reprocess", "--prefix", "normalized/OTCE", "--stage", "compute", "--limit", "1", "--only").stdout
    assert "compute runs again on 1 key." in one
    assert sql("select week_ending, stage from otc.stage_run where state = 'queued'") == [(weeks[2], "compute")]
    for wrong in (("--prefix", "raw/T2"), ("--prefix", "cooked/T2"), (), ("x", "--prefix", "y")):
        assert here("reprocess", *wrong).returncode == 2
