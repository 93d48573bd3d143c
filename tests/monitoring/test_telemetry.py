"""The figures that Prometheus gets over HTTP, against work that was really done."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from otcpipe import resources, settings
from otcpipe.broker import messages
from otcpipe.broker.actors import send
from otcpipe.errors import Invalid
from otcpipe.finra.rate_limit import RateLimit
from otcpipe.monitoring import telemetry
from otcpipe.pipeline import dead_letters
from otcpipe.records import Partition
from otcpipe.stack.program import free_ports
from tests.support.interrupts import IGNORING_SIGINT
from tests.support.pipeline import NOON, WEEK, api_text, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Scraped = dict[tuple[str, ...], float]
OTCE = Partition(WEEK, "OTCE")


def scrape(url: str) -> Scraped:
    """Figures by name, without otcpipe_, and their labels' values in the order of the labels."""
    with urllib.request.urlopen(url, timeout=20) as response:
        text = response.read().decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(one.name.removeprefix("otcpipe_"), *one.labels.values()): one.value for one in samples}


@contextmanager
def serving(environment: dict[str, str], **changed: str) -> Iterator[str]:
    (port,) = free_ports(1)
    server = telemetry.serve(settings.load(environment | {"OTCPIPE_TELEMETRY_PORT": str(port)} | changed))
    try:
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def url(environment: dict[str, str]) -> Iterator[str]:
    with serving(environment, OTCPIPE_NOW="2025-12-20T12:00:00Z") as found:
        yield found


def test_the_figures_are_those_of_the_work_that_was_done(environment: dict[str, str], sql: Sql, url: str) -> None:
    totals = {"MPID": "", "summaryTypeCode": "ATS_W_SMBL", "totalWeeklyShareQuantity": 7}
    drive(observe(api_text([{}, totals, {"totalWeeklyTradeCount": "many"}], OTCE), OTCE, covers="all"))
    late = observe(file_text([("A", "AAAA", 1, 1)]), Partition(date(2025, 11, 7), "OTCE"))
    send(late)
    send(late, seconds=600)
    sql("update otc.stage_run set queued_at = now() - interval '5 minutes' where state = 'queued'")
    death = dead_letters.DeadMessage("1", "parse", b"no message", NOON, None)
    assert dead_letters.record(resources.database(), death, messages.read)
    rate = RateLimit(environment["OTCPIPE_REDIS_URL"], 1000)
    for _ in range(3):
        rate.wait_turn()
    found = scrape(url)
    expected = {
        ("up", "redis"): 1,
        ("up", "postgres"): 1,
        ("queue_messages", "cache", "waiting"): 1,
        ("queue_messages", "cache", "in_hand"): 0,
        ("queue_messages", "cache", "delayed"): 1,
        ("queue_messages", "fetch", "waiting"): 0,
        ("queue_consumers", "cache"): 0,
        ("finra_rate_limit",): 18,
        ("runs", "cache", "done"): 1,
        ("runs", "cache", "queued"): 1,
        ("runs", "compute", "done"): 1,
        ("dead_letters", "parse"): 1,
        ("dead_letters", "fetch"): 0,
        ("captures", "OTCE"): 1,
        ("rows", "records", "OTCE"): 1,
        ("rows", "totals", "OTCE"): 1,
        ("rows", "rejects", "OTCE"): 1,
        ("partitions", "done", "OTCE"): 1,
        ("partitions", "queued", "OTCE"): 1,
        ("unreconciled_partitions", "OTCE"): 1,
        ("conditions", "dead letter"): 1,
        ("conditions", "unreconciled"): 1,
        ("conditions", "restated"): 0,
        ("unreconciled_partitions", "T1"): 0,
        ("weeks_behind", "OTCE"): 0,  # the week ending 2025-11-14 was the newest on the day
        ("oldest_queued_seconds", "parse"): 0,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert found["finra_requests_total",] >= 3
    assert [name[1:] for name in found if name[0] == "quality_score"] == [("D", "OTCE")]
    assert 300 <= found["oldest_queued_seconds", "cache"] < 360
    assert 0 < found["stage_seconds", "0.5", "persist"] <= found["stage_seconds", "1.0", "persist"] < 20
    assert found["weeks_behind", "T1"] == 1, "no week of it was requested, so only the newest is expected"


def test_a_week_that_is_due_and_not_done_is_a_week_behind(environment: dict[str, str]) -> None:
    drive(observe(file_text([("A", "AAAA", 1, 1)]), OTCE))
    with serving(environment, OTCPIPE_NOW="2025-12-22T10:59:00Z") as url:
        assert scrape(url)["weeks_behind", "OTCE"] == 0
    with serving(environment, OTCPIPE_NOW="2025-12-22T11:00:00Z") as url:
        assert scrape(url)["weeks_behind", "OTCE"] == 1


@pytest.mark.parametrize(("name", "server"), [("DATABASE_URL", "postgres"), ("REDIS_URL", "redis")])
def test_a_server_that_is_down_costs_its_own_figures_only(
    environment: dict[str, str], name: str, server: str
) -> None:
    scheme = environment[f"OTCPIPE_{name}"].split(":")[0]
    drive(observe(file_text([("A", "AAAA", 1, 1)]), OTCE))
    with serving(environment, **{f"OTCPIPE_{name}": f"{scheme}://127.0.0.1:9/0"}) as url:
        found = scrape(url)
    other = {"postgres": "redis", "redis": "postgres"}[server]
    assert (found["up", server], found["up", other]) == (0, 1)
    assert (("captures", "OTCE") in found, ("finra_rate_limit",) in found) == (
        server == "redis",
        server == "postgres",
    )


def test_a_worker_shows_as_a_consumer_of_every_queue(
    environment: dict[str, str], workers: Callable[..., object], url: str
) -> None:
    workers()
    deadline = time.monotonic() + 30
    while scrape(url)["queue_consumers", "compute"] != 1:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert scrape(url)["queue_consumers", "fetch"] == 1


def test_the_command_serves_on_loopback_until_it_is_stopped(environment: dict[str, str]) -> None:
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [*IGNORING_SIGINT, sys.executable, "-m", "otcpipe", "telemetry"],
        env=os.environ | environment | {"OTCPIPE_TELEMETRY_PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == f"Telemetry: http://127.0.0.1:{port}/metrics. Ctrl-C stops it.\n"
    assert scrape(f"http://127.0.0.1:{port}/metrics")["up", "postgres"] == 1
    with pytest.raises(Invalid, match=f"127.0.0.1:{port}"):
        telemetry.serve(settings.load(environment | {"OTCPIPE_TELEMETRY_PORT": str(port)}))
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    process.stdout.close()
    assert resources.settings()["TELEMETRY_HOST"] == "127.0.0.1"
