"""Two pools of workers, each with queues and a home of its own, as on two machines: they share the servers only."""

import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from tests.conftest import kill
from tests.finra_server import FinraServer, generated

Sql = Callable[..., list[tuple[Any, ...]]]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Workers = Callable[..., "subprocess.Popen[bytes]"]
MONDAYS = [date(2026, 2, 9) + timedelta(days=7 * number) for number in range(4)]
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC).isoformat()
FRONT, BACK = ("fetch", "cache", "parse", "normalize"), ("persist", "compute")
PARTITIONS = 3 * len(MONDAYS)
SPAN = ("--from", str(MONDAYS[0]), "--to", str(MONDAYS[-1]))


def test_they_share_a_backfill_and_one_may_go_and_come_back(
    environment: dict[str, str], here: Run, workers: Workers, sql: Sql, tmp_path: Path
) -> None:
    def wait_for(stage: str, state: str, number: int) -> None:
        deadline = time.monotonic() + 100
        while len(sql("select 1 from otc.stage_run where stage = %s and state = %s", stage, state)) < number:
            assert time.monotonic() < deadline, sql("select stage, state, count(*) from otc.stage_run group by 1, 2")
            time.sleep(0.05)

    with FinraServer(generated(MONDAYS)) as server:
        asked = {
            "OTCPIPE_FINRA_URL": server.url,
            "OTCPIPE_NOW": NOW,
            "OTCPIPE_FINRA_RATE": "1000",
            "OTCPIPE_LEASE": "2",
        }
        with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as other:
            other.execute("lock table otc.volume_record in exclusive mode")  # persist waits for it
            workers(*FRONT, OTCPIPE_HOME=str(tmp_path / "front"), **asked)
            back = workers(*BACK, OTCPIPE_HOME=str(tmp_path / "back"), **asked)
            assert here("backfill", *SPAN, **asked).returncode == 0
            wait_for("persist", "running", 1)
            kill(back)
        wait_for("normalize", "done", PARTITIONS)
        assert sql("select 1 from otc.stage_run where stage = 'compute'") == [], "no pool left takes it"
        workers(*BACK, OTCPIPE_HOME=str(tmp_path / "again"), **asked)
        wait_for("compute", "done", PARTITIONS)
    assert json.loads(here("dlq", "list", "--json", **asked).stdout) == []
    verified = here("verify", "--all")
    assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout
