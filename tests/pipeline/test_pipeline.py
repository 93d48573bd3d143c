"""The whole pipeline: the real command line, real `dramatiq actors` processes, real servers."""

import json
import subprocess
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import psycopg

from otcpipe.pipeline import definition
from otcpipe.storage import sql as statements
from tests.conftest import DATA, kill
from tests.finra_server import Dataset, FinraServer

Sql = Callable[..., list[tuple[Any, ...]]]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Workers = Callable[..., "subprocess.Popen[bytes]"]
FILES = sorted(DATA.glob("finra_otc_weekly_otc_*.csv.gz"))
WEEKS = """
    select week_ending::text, count(*), count(distinct symbol), sum(share_volume)::bigint, sum(trade_count)::bigint
    from otc.venue_volume group by 1 order by 1
"""
EXPECTED = [("2025-11-14", 5328, 3111, 1335995901, 472776), ("2025-11-21", 5192, 2985, 943802893, 497191)]
ROWS = {
    "venue_volume": 10520,
    "average_print_price": 0,
    "symbol_concentration": 6096,
    "symbol_rolling_avg": 6873,
    "symbol_summary": 6096,
    "venue_share": 18,
}
TABLES = {
    "venue_volume": "select v::text from otc.venue_volume v order by 1",
    **{
        metric: f"select (to_jsonb(m) - 'computed_at')::text from otc.{metric} m order by 1"
        for metric in sorted(statements.metric_files())
    },
}


def test_the_actors_and_their_queues_are_these(environment: dict[str, str]) -> None:
    broker = import_module("actors").fetch_week.broker
    assert {name: broker.get_actor(name).queue_name for name in broker.get_declared_actors()} == {
        "fetch_week": "fetch",
        "cache_file": "cache",
        "parse_file": "parse",
        "normalize_rows": "normalize",
        "persist_records": "persist",
        "compute_metrics": "compute",
        "publish_week": "publish",
    }
    assert [stage.name for stage in definition.PIPELINE] == [
        "fetch",
        "cache",
        "parse",
        "normalize",
        "persist",
        "compute",
        "publish",
    ]


def test_the_two_real_weeks_come_out_with_finras_own_figures(otcpipe: Run, workers: Workers, sql: Sql) -> None:
    workers()
    done = otcpipe("import", "--wait", *FILES)
    assert (done.returncode, done.stderr) == (0, "")
    assert "week ending 2025-11-14 (published Monday 2025-12-15, 35 days after Monday 2025-11-10)" in done.stdout
    assert sql(WEEKS) == EXPECTED
    concentration = """
        select symbol, week_ending::text, hhi::text, top_venue_share_pct::text, concentration_level
        from otc.symbol_concentration where symbol in ('TCEHY', 'AABB') and scope = 'ATS' order by 1, 2
    """
    assert [row for row in sql(concentration) if row[:2] != ("AABB", "2025-11-21")] == [
        ("AABB", "2025-11-14", "9882.03", "99.41", "concentrated"),
        ("TCEHY", "2025-11-14", "3379.82", "36.63", "concentrated"),
        ("TCEHY", "2025-11-21", "3372.67", "36.69", "concentrated"),
    ]
    rows = json.loads(otcpipe("status", "--json").stdout)
    assert [(row["week_ending"], row["tier"], row["state"], row["rows"], row["rejects"]) for row in rows] == [
        ("2025-11-14", "OTCE", "done", 5328, 0),
        ("2025-11-21", "OTCE", "done", 5192, 0),
    ]
    again = otcpipe("import", "--wait", *FILES)
    assert again.returncode == 0
    assert again.stdout.count("nothing to do") == 2
    assert sql("select count(*) from otc.capture") == [(2,)]
    for key in (rows[0]["raw_key"], rows[0]["normalized_key"].removeprefix("finra/otc/")):
        assert otcpipe("reprocess", key).returncode == 0
    top = json.loads(otcpipe("top", "--json").stdout)
    assert (len(top), top[0]["week_ending"], top[0]["symbol"], top[0]["volume"]) == (
        10,
        "2025-11-21",
        "EARI",
        "87187546.000000",
    )


def test_kill_9_of_the_worker_in_mid_import_ends_in_the_same_tables(
    environment: dict[str, str], here: Run, workers: Workers, sql: Sql
) -> None:
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as other:
        other.execute("lock table otc.volume_record in exclusive mode")  # persist waits for it
        worker = workers(OTCPIPE_LEASE="2")
        assert here("import", *FILES).returncode == 0
        deadline = time.monotonic() + 60
        while not sql("select 1 from otc.stage_run where stage = 'persist' and state = 'running'"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        kill(worker)
    workers(OTCPIPE_LEASE="2")
    deadline = time.monotonic() + 60
    while len(sql("select 1 from otc.stage_run where stage = 'compute' and state = 'done'")) < 2:
        assert time.monotonic() < deadline, sql("select stage, state, reason from otc.stage_run")
        time.sleep(0.1)
    assert sql(WEEKS) == EXPECTED
    assert {name: len(sql(TABLES[name])) for name in ROWS} == ROWS


def test_a_permanent_error_is_dead_at_once_and_its_reason_is_shown(otcpipe: Run, workers: Workers, sql: Sql) -> None:
    with FinraServer(Dataset({}), required=True) as server:
        workers(OTCPIPE_FINRA_URL=server.url)
        assert otcpipe("enqueue", "--week", "2024-01-05", "--tier", "T1").returncode == 0
        deadline = time.monotonic() + 20
        while sql("select state from otc.stage_run") != [("failed",)]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert len(server.requests) == 1
    (row,) = json.loads(otcpipe("status", "--json").stdout)
    assert (row["state"], row["stage"]) == ("failed", "fetch")
    assert "OTCPIPE_FINRA_CLIENT_ID" in row["reason"]
