"""What the doctor finds on real servers, whole and broken."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from otcpipe import resources, settings
from otcpipe.broker import messages
from otcpipe.broker.activity import consumer_key, moved_key, this_host
from otcpipe.broker.actors import send
from otcpipe.monitoring import checks, doctor, server_checks
from otcpipe.monitoring.context import CheckContext
from otcpipe.pipeline import dead_letters
from otcpipe.pipeline.definition import PIPELINE
from otcpipe.records import Partition
from tests.finra_server import Dataset, FinraServer
from tests.support.finra_client import KEY, LINES
from tests.support.pipeline import NOON, WEEK, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
NAMES = [name for name, _, _ in checks.CHECKS]
NOWHERE = {
    "postgres": {"OTCPIPE_DATABASE_URL": "postgresql://u:s3cret@127.0.0.1:9/otcpipe"},
    "redis": {"OTCPIPE_REDIS_URL": "redis://:s3cret@127.0.0.1:9/0"},
    "s3": {"OTCPIPE_S3_ENDPOINT": "http://127.0.0.1:9"},
}
REST_ON = {
    "postgres": {"migrations", "calendar", "objects", "oddities", "runs", "letters"},
    "redis": {"finra", "queues", "runs"},
    "s3": {"objects", "runs"},
}


def examined(environment: dict[str, str], **changed: str) -> dict[str, doctor.Finding]:
    found = settings.load(environment | changed)
    return {finding.check: finding for finding in doctor.examine(found)}


@pytest.fixture
def consumed(environment: dict[str, str]) -> None:
    """As if a worker of this machine had just looked into every queue."""
    with redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"]) as client:
        for stage in PIPELINE:
            client.set(consumer_key(stage.name, this_host()), 1, ex=30)


def test_a_stack_with_a_worker_is_well_and_nothing_is_left_in_the_bucket(
    workers: Callable[..., object], otcpipe: Run, environment: dict[str, str]
) -> None:
    workers()
    deadline = time.monotonic() + 60
    while doctor.consumer(resources.settings(), "compute").verdict != "ok":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with FinraServer(Dataset({KEY: LINES})) as finra:
        done = otcpipe("doctor", "--json", OTCPIPE_FINRA_URL=finra.url, OTCPIPE_TIERS="T1")
    found = {row["check"]: row["verdict"] for row in json.loads(done.stdout)}
    assert found == dict.fromkeys(NAMES, "ok")
    assert (done.returncode, done.stderr) == (0, "")
    assert otcpipe("doctor", "--queue", "persist compute").returncode == 0
    assert otcpipe("doctor", "--queue", " ").returncode == 2
    assert list(resources.store().keys(environment["OTCPIPE_S3_PREFIX"])) == []


@pytest.mark.usefixtures("consumed")
@pytest.mark.parametrize("server", NOWHERE)
def test_with_a_server_missing_the_others_are_examined_and_the_exit_code_is_3(here: Run, server: str) -> None:
    done = here("doctor", **NOWHERE[server])
    lines = {line.split()[1]: line for line in done.stdout.splitlines()}
    assert (done.returncode, done.stderr, list(lines)) == (3, "", NAMES)
    assert lines[server].startswith("fail")
    assert "127.0.0.1:9" in lines[server]
    assert "s3cret" not in done.stdout
    for name in REST_ON[server]:
        assert lines[name].startswith("warn")
        assert "Not checked, because" in lines[name]
    assert lines["finra"].startswith("warn")
    assert {name for name in NAMES if lines[name].startswith("ok")} == {*NAMES} - REST_ON[server] - {server, "finra"}


def test_without_any_server_or_setting_each_check_says_so(here: Run, tmp_path: Path) -> None:
    away = {f"OTCPIPE_{name}": "" for name in settings.SERVERS}
    done = here("doctor", **away, OTCPIPE_HOME=str(tmp_path / "none"))
    assert done.returncode == 1
    assert done.stdout.count("start one with `otcpipe up`") == 3
    wrong = here("doctor", OTCPIPE_REDIS_URL="mysql://s3cret")
    assert (wrong.returncode, wrong.stdout.count("\n")) == (1, 1)
    assert "OTCPIPE_REDIS_URL must be" in wrong.stdout


def test_a_queue_without_a_worker_is_a_warning_and_a_failure_once_messages_wait(environment: dict[str, str]) -> None:
    assert examined(environment)["queues"].verdict == "warn"
    send(observe(file_text([("A", "AAAA", 1, 1)]), Partition(WEEK, "OTCE")))
    found = examined(environment)["queues"]
    assert (found.verdict, "waiting: 1." in found.finding) == ("fail", True)


@pytest.mark.usefixtures("consumed")
@pytest.mark.parametrize(("minutes", "verdict"), [(1, "ok"), (11, "warn"), (60, "fail")])
def test_a_queue_that_does_not_move_though_messages_wait_and_workers_are_there_is_reported(
    minutes: int, verdict: str, environment: dict[str, str]
) -> None:
    with redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"]) as client:
        client.set(moved_key("cache"), client.time()[0] - 60 * minutes)
        assert examined(environment)["queues"].verdict == "ok", "no message waits"
    send(observe(file_text([("A", "AAAA", 1, 1)]), Partition(WEEK, "OTCE")))
    found = examined(environment)["queues"]
    assert (found.verdict, "cache (1 messages)" in found.finding) == (verdict, verdict != "ok")


@pytest.mark.usefixtures("consumed")
def test_delayed_messages_without_a_worker_are_a_failure(environment: dict[str, str]) -> None:
    send(observe(file_text([("A", "AAAA", 1, 1)]), Partition(WEEK, "OTCE")), 60)
    found = examined(environment)["queues"]
    assert (found.verdict, "No worker consumes cache.DQ" in found.finding) == ("fail", True)


def test_only_a_worker_of_this_machine_is_this_machines_health(environment: dict[str, str]) -> None:
    with redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"]) as client:
        client.set(consumer_key("fetch", "elsewhere"), 1, ex=30)
    assert doctor.consumer(resources.settings(), "fetch").verdict == "fail"
    assert "fetch" not in examined(environment)["queues"].finding


def test_a_run_without_a_message_is_distinguished_from_one_that_waits(environment: dict[str, str], sql: Sql) -> None:
    run = observe(file_text([("A", "AAAA", 1, 1)]), Partition(WEEK, "OTCE"))
    sql("update otc.stage_run set queued_at = now() - interval '5 minutes'")
    found = examined(environment)["runs"]
    assert (found.verdict, found.advice) == ("warn", "Run `otcpipe reconcile`.")
    send(run)
    assert examined(environment)["runs"].verdict == "ok"


def test_a_dead_letter_is_a_warning(environment: dict[str, str]) -> None:
    assert dead_letters.record(
        resources.database(), dead_letters.DeadMessage("1", "parse", b"", NOON, None), messages.read
    )
    found = examined(environment)["letters"]
    assert (found.verdict, found.finding == "1 open dead letter (parse).") == ("warn", True)


def test_a_schema_that_is_not_the_newest_is_a_failure(environment: dict[str, str], sql: Sql) -> None:
    sql("insert into otc.migration (name) values ('9999_later')")
    assert "9999_later" in examined(environment)["migrations"].finding
    sql("delete from otc.migration")
    assert "0001_baseline" in examined(environment)["migrations"].finding
    sql("drop schema otc, otc_internal cascade")
    found = examined(environment)
    assert (found["migrations"].verdict, found["runs"].verdict) == ("fail", "warn")
    assert "otcpipe migrate" in found["migrations"].finding


def test_a_role_without_rights_is_a_failure_that_says_so(environment: dict[str, str], sql: Sql) -> None:
    sql("revoke all on schema otc from current_user")
    found = examined(environment)["migrations"]
    assert (found.verdict, "permission denied" in found.finding) == ("fail", True)


def test_a_bucket_that_is_missing_is_a_failure(environment: dict[str, str]) -> None:
    found = examined(environment, OTCPIPE_S3_BUCKET="nowhere")["s3"]
    assert (found.verdict, found.is_unreachable, found.advice) == ("fail", False, "Run `otcpipe migrate`.")


def test_a_redis_that_drops_messages_when_full_is_a_warning(environment: dict[str, str]) -> None:
    with redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"]) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert examined(environment)["redis"].verdict == "warn"
        finally:
            client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize(("seconds", "verdict"), [(1.9, "ok"), (-2.1, "warn"), (59, "warn"), (-61, "fail")])
def test_a_clock_is_judged_by_the_server_that_differs_most(seconds: float, verdict: str) -> None:
    skews = {"S3": timedelta(0), "PostgreSQL": timedelta(seconds=seconds)}
    found = server_checks.clock(CheckContext(settings.load({"OTCPIPE_HOME": "/nowhere"}), skews))
    assert (found[0], "PostgreSQL" in found[1]) == (verdict, True)


@pytest.mark.parametrize(("gib", "verdict"), [(11, "ok"), (9, "warn"), (0.5, "fail")])
def test_a_disk_is_judged_by_what_is_free_where_the_home_will_be(
    gib: float, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[Path]()

    def usage(path: Path) -> Any:
        asked.append(path)
        return type("usage", (), {"free": round(gib * (1 << 30))})

    monkeypatch.setattr(shutil, "disk_usage", usage)
    found = server_checks.disk(CheckContext(settings.load({"OTCPIPE_HOME": str(tmp_path / "not" / "yet")})))
    assert (found[0], asked) == (verdict, [tmp_path])


@pytest.mark.parametrize(
    ("name", "url", "verdict"),
    [
        ("DATABASE_URL", "postgresql://u:p@db.example/otcpipe", "warn"),
        ("DATABASE_URL", "postgresql://u:p@db.example/otcpipe?sslmode=prefer", "warn"),
        ("DATABASE_URL", "postgresql://u:p@db.example/otcpipe?sslmode=verify-full", "ok"),
        ("DATABASE_URL", "postgresql://u:p@postgres:5432/otcpipe", "ok"),
        ("REDIS_URL", "redis://:p@redis.example", "warn"),
        ("REDIS_URL", "rediss://:p@redis.example", "ok"),
        ("REDIS_URL", "redis://:p@[::1]:6379", "ok"),
        ("REDIS_URL", "redis://:p@[2001:db8::1]:6379", "warn"),
        ("S3_ENDPOINT", "http://s3.example", "warn"),
        ("S3_ENDPOINT", "http://127.0.0.1:8333", "ok"),
        ("S3_ENDPOINT", "https://s3.example", "ok"),
        ("FINRA_CLIENT_ID", "an-id", "warn"),
        ("NOW", "2026-11-23T12:00:00Z", "warn"),
    ],
)
def test_settings_that_are_unsafe_or_half_given_are_warned_of(name: str, url: str, verdict: str) -> None:
    found = server_checks.settings(CheckContext(settings.load({"OTCPIPE_HOME": "/nowhere", f"OTCPIPE_{name}": url})))
    assert found[0] == verdict
    assert url not in found[1] or name == "NOW"


@pytest.mark.usefixtures("consumed")
def test_a_bucket_that_was_lost_is_found_by_the_captures_that_it_lacks(environment: dict[str, str]) -> None:
    drive(observe(file_text([("ABC", "AAAA", 5, 1)]), Partition(WEEK, "OTCE")))
    assert examined(environment)["objects"].verdict == "ok"
    [raw] = resources.store().keys(f"{environment['OTCPIPE_S3_PREFIX']}/raw/")
    resources.store().discard(raw)
    found = examined(environment)["objects"]
    assert (found.verdict, found.finding) == ("fail", f"The bucket lacks 1 of the 1 raw object looked for: {raw}.")
    assert "otcpipe rebuild --from" in found.advice
