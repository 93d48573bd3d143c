"""Full disks, read-only buckets, damaged objects, locked tables: each a clear state, and nothing wrong is stored."""

import io
import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from otcpipe import resources
from otcpipe.errors import Permanent
from otcpipe.pipeline import execution
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.stack import Supervisor
from otcpipe.storage import keys, objects
from tests.conftest import DATA, kill
from tests.support.pipeline import NOON, WEEK, carrier, drive, file_text, functions, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
Workers = Callable[..., "subprocess.Popen[bytes]"]
OTCE = Partition(WEEK, "OTCE")
CONTENT = file_text([("A", "AAAA", 1, 1), ("B", "BBBB", 2, 1)])
FILES = sorted(DATA.glob("finra_otc_weekly_otc_*.csv.gz"))
STATE = "select stage, state, reason from otc.stage_run where state <> 'done'"
DONE = "select count(*) from otc.stage_run where stage = 'compute' and state = 'done'"
MANY = 230_000  # records, more than 17 MB of them
READ_ONLY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": ["s3:PutObject"], "Resource": ["arn:aws:s3:::otcpipe/*"]}
    ],
}


@contextmanager
def small_files(pid: int, most: int) -> Iterator[None]:
    """No file of a process grows beyond so many bytes meanwhile: the kernel's own refusal, as on a full disk."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def put_off(run: Run) -> list[Run]:
    """Carry one run, whose server cannot do its part; the runs that were sent for later."""
    sent: list[tuple[Run, float]] = []
    carrier(lambda *one: sent.append(one)).execute(run, functions()[run.stage.name])
    assert {seconds for _, seconds in sent} <= {execution.OUTAGE_SECONDS}
    return [run for run, _ in sent]


def paused_without_locks(worker: "subprocess.Popen[bytes]", sql: Sql, other: int) -> bool:
    """Pause a worker; let it go on, and return False, where it is amid a transaction and does not wait."""
    os.killpg(worker.pid, signal.SIGSTOP)
    time.sleep(0.05)  # the server ends the statement that it has
    idle = "select from pg_stat_activity where datname = current_database() and state like 'idle in%%' and pid <> %s"
    if sql(idle, other):
        os.killpg(worker.pid, signal.SIGCONT)
        return False
    return True


def overwrite(key: str, content: bytes) -> None:
    """Put bytes over an object behind the store's back, with the digest of the old ones."""
    store = resources.store()
    digest = keys.sha256(store.get(key))
    store._client.put_object(
        bucket_name="otcpipe",
        object_name=key,
        data=io.BytesIO(content),
        length=len(content),
        metadata={"sha256": digest},
    )


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def wait(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.1)


def test_a_full_disk_under_s3_postpones_the_run_and_leaves_no_part_of_an_object(
    environment: dict[str, str], servers: Supervisor, sql: Sql
) -> None:
    run = observe(CONTENT, OTCE)
    with small_files(servers.pid("seaweedfs"), 1):
        assert put_off(run) == [run]
    ((stage, state, reason),) = sql(STATE)
    assert (stage, state) == ("cache", "queued")
    assert "S3 at" in reason
    drive(run)
    assert sql(DONE) == [(1,)]


@pytest.mark.slow
def test_a_full_disk_under_postgres_fails_the_run_with_the_reason_and_leaves_no_part_of_a_capture(
    environment: dict[str, str], servers: Supervisor, sql: Sql
) -> None:
    large = file_text([(f"S{number}", "AAAA", number + 1, 1) for number in range(MANY)])
    with small_files(servers.pid("postgres"), 17 << 20):  # above a segment of its log
        resources.database().close()
        resources.database.cache_clear()  # whose connections were made before
        left: list[Run] = [observe(large, OTCE)]
        while left[0].stage.name != "persist":
            left = carried(left[0])
        with pytest.raises(psycopg.errors.InternalError_, match="could not extend file"):
            put_off(left[0])
    ((stage, state, reason),) = sql(STATE)
    assert (stage, state) == ("persist", "queued")
    assert "could not extend file" in reason
    assert sql("select count(*) from otc_internal.volume_record") == [(0,)]
    resources.database().close()
    resources.database.cache_clear()
    drive(*left)
    assert sql("select count(*) from otc_internal.volume_record") == [(MANY,)]


def carried(run: Run) -> list[Run]:
    sent: list[Run] = []
    carrier(lambda run, _: sent.append(run)).execute(run, functions()[run.stage.name])
    return sent


def test_a_bucket_that_is_read_only_puts_the_run_off_with_the_reason(
    environment: dict[str, str], here: Command, sql: Sql
) -> None:
    run, client = observe(CONTENT, OTCE), resources.store()._client
    client.set_bucket_policy(bucket_name="otcpipe", policy=json.dumps(READ_ONLY))
    try:
        assert put_off(run) == [run]
        (row,) = json.loads(here("status", "--json").stdout)
        assert (row["state"], row["stage"]) == ("queued", "cache")
        assert "refuses: AccessDenied" in row["reason"]
    finally:
        client.delete_bucket_policy(bucket_name="otcpipe")
    drive(run)
    assert sql(DONE) == [(1,)]


def test_one_flipped_byte_of_a_raw_object_is_a_permanent_error_that_names_it(
    environment: dict[str, str], sql: Sql
) -> None:
    raw = drive(observe(CONTENT, OTCE))[1]
    records = sql("select * from otc_internal.volume_record")
    overwrite(str(raw.key), flipped(resources.store().get(str(raw.key))))
    resources.store().discard(parsed_key(sql))
    with pytest.raises(Permanent, match=raw.key.digest):
        drive(Run(raw.stage, raw.key, raw.generation, request="again"))
    assert sql("select * from otc_internal.volume_record") == records


def parsed_key(sql: Sql) -> str:
    ((key,),) = sql("select output_key from otc.stage_run where stage = 'parse'")
    return str(key)


def test_bytes_observed_again_replace_a_damaged_raw_object(environment: dict[str, str], sql: Sql) -> None:
    raw = drive(observe(CONTENT, OTCE))[1]
    whole = resources.store().get(str(raw.key))
    overwrite(str(raw.key), flipped(whole))
    drive(observe(CONTENT, OTCE, NOON + timedelta(days=1)))
    assert resources.store().get(str(raw.key)) == whole


@pytest.mark.parametrize("damage", [flipped, halved])
def test_a_damaged_parquet_is_not_read_but_made_again(
    damage: Callable[[bytes], bytes], environment: dict[str, str], sql: Sql
) -> None:
    runs = drive(observe(CONTENT, OTCE))
    persist = runs[3]
    whole = resources.store().get(str(persist.key))
    overwrite(str(persist.key), damage(whole))
    again = Run(persist.stage, persist.key, persist.generation, request="again")
    drive(again)
    assert resources.store().get(str(persist.key)) == whole
    assert objects.normalized(resources.store(), persist.key).records.num_rows == 2
    assert sql("select count(*) from otc_internal.volume_record") == [(2,)]


def test_a_table_that_is_locked_for_longer_than_a_lease_is_waited_for(
    environment: dict[str, str], workers: Workers, here: Command, sql: Sql
) -> None:
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as other:
        other.execute("lock table otc_internal.volume_record in exclusive mode")
        workers(OTCPIPE_LEASE="1")
        assert here("import", FILES[0]).returncode == 0
        wait(lambda: sql("select 1 from otc.stage_run where stage = 'persist' and state = 'running'"))
        time.sleep(4)
        (row,) = json.loads(here("status", "--json").stdout)
        assert (row["state"], row["stage"]) == ("running", "persist")
    wait(lambda: sql(DONE) == [(1,)])
    assert sql("select attempts from otc.stage_run where stage = 'persist'") == [(1,)]


def test_after_the_loss_of_all_that_redis_has_reconcile_finishes_the_work(
    environment: dict[str, str], workers: Workers, here: Command, sql: Sql
) -> None:
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as other:
        other.execute("lock table otc.capture in share mode")
        worker = workers(OTCPIPE_LEASE="1")
        assert here("import", *FILES).returncode == 0
        wait(lambda: sql("select count(*) from otc.stage_run where state = 'running'") == [(2,)])
        wait(lambda: paused_without_locks(worker, sql, other.info.backend_pid))
        with redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"]) as client:
            client.flushall()
        sql("update otc.stage_run set queued_at = queued_at - interval '1 minute', lease_until = now()")
        assert "2 lost run" in here("reconcile").stdout
        os.killpg(worker.pid, signal.SIGCONT)
    wait(lambda: sql(DONE) == [(2,)])


def test_a_worker_finds_by_itself_what_redis_lost(
    environment: dict[str, str], workers: Workers, here: Command, sql: Sql
) -> None:
    assert here("import", FILES[0]).returncode == 0
    with redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"]) as client:
        client.flushall()
    sql("update otc.stage_run set queued_at = queued_at - interval '1 minute'")
    workers()
    wait(lambda: sql(DONE) == [(1,)])


def test_what_a_killed_worker_held_runs_again_within_thirty_seconds(
    environment: dict[str, str], workers: Workers, here: Command, sql: Sql
) -> None:
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as other:
        other.execute("lock table otc.capture in share mode")
        first = workers()
        assert here("import", *FILES).returncode == 0
        wait(lambda: sql("select count(*) from otc.stage_run where state = 'running'") == [(2,)])
        workers()
        kill(first)
        ((killed_at,),) = sql("select now()")
    wait(lambda: sql(DONE) == [(2,)])
    ((latest,),) = sql("select max(started_at) from otc.stage_run where stage = 'cache'")
    assert (latest - killed_at).total_seconds() < 30
    assert sql("select attempts, unended from otc.stage_run where stage = 'cache'") == [(2, 1), (2, 1)]


def test_a_worker_whose_redis_is_gone_stops_soon(workers: Workers, tmp_path: Path) -> None:
    worker = workers(OTCPIPE_REDIS_URL="redis://127.0.0.1:9/0")
    log = tmp_path / "worker0.log"
    wait(lambda: "Worker process is ready for action" in log.read_text())
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert "Worker has been shut down." in log.read_text()
