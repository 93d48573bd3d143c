"""Traces of real workers, as a collector receives them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from otcpipe.broker import actors, messages
from otcpipe.broker.spans import endpoint, flat
from otcpipe.pipeline import definition
from otcpipe.records import Partition
from tests.conftest import DATA
from tests.finra_server import Fault, FinraServer, Kind, generated
from tests.support.collector import Collector, Span, collecting
from tests.support.pipeline import WEEK, file_text, observe
from tests.support.warm import WarmProcess

Sql = Callable[..., list[tuple[Any, ...]]]
Here = Callable[..., "subprocess.CompletedProcess[str]"]
Workers = Callable[..., WarmProcess]
STAGES = [stage.name for stage in definition.PIPELINE]
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "200"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


def tracing(collector: Collector, process: str) -> dict[str, str]:
    return SOON | {"OTCPIPE_TRACES_URL": collector.url, "OTEL_RESOURCE_ATTRIBUTES": f"process={process}"}


def wait_for(is_so: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def by_time(spans: list[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: span.start)


def test_a_partition_is_one_trace_from_fetch_to_publish_over_two_processes_with_its_retry(
    collector: Collector, workers: Workers, here: Here, sql: Sql, tmp_path: Path
) -> None:
    wrong = Fault(Kind.TOO_MANY, retry_after="121")  # longer than a stage waits: it is tried again
    with FinraServer(generated([date(2025, 11, 10)], {"T1": 20}), [wrong]) as server:
        more = {"OTCPIPE_FINRA_URL": server.url, "OTCPIPE_PUBLISH": str(tmp_path / "lake")}
        workers(*STAGES[::2], **tracing(collector, "one"), **more)
        workers(*STAGES[1::2], **tracing(collector, "two"), **more)
        assert here("enqueue", "--week", "2025-11-14", "--tier", "T1", **more).returncode == 0
        wait_for(lambda: any(span.name == "publish" for span in collector.spans))
    found = by_time(collector.spans)
    assert [span.name for span in found] == ["fetch", *STAGES]
    assert {span.trace_id for span in found} == {found[0].trace_id}
    assert [span.parent_id for span in found] == ["", *(span.span_id for span in found[:-1])]
    assert [span.process for span in found] == [
        "otcpipe one",
        *(f"otcpipe {['one', 'two'][number % 2]}" for number in range(len(STAGES))),
    ]
    failed, fetched, *others = found
    assert failed.is_error and not any(span.is_error for span in [fetched, *others])
    assert failed.attributes["error.type"] == "Defective"
    assert [span.attributes["otcpipe.attempt"] for span in found] == [1, 2, *[1] * len(others)]
    assert [span.attributes["otcpipe.outcome"] for span in found] == ["retried", *["done"] * (len(found) - 1)]
    assert {(span.attributes["otcpipe.tier"], span.attributes["otcpipe.week"]) for span in found} == {
        ("T1", "2025-11-14")
    }
    rows = sql("select record_total from otc.capture")[0][0]
    assert fetched.attributes["otcpipe.counts.rows"] == rows
    assert [span.attributes["otcpipe.key"] for span in found[1:]] == [
        *(key for stage in STAGES for (key,) in sql("select key from otc.stage_run where stage = %s", stage))
    ]
    path, headers = collector.requests[0]
    assert path == "/v1/traces" and headers["Authorization"].startswith("Basic ")
    assert "s3cr3t-token" not in repr(found)


def test_a_message_of_an_older_release_begins_a_trace_and_a_dead_one_says_why(
    collector: Collector, workers: Workers, environment: dict[str, str]
) -> None:
    partition = Partition(WEEK, "OTCE")
    run = observe(file_text([("A", "AAAA", 1, 1)]), partition)
    assert "traceparent" not in messages.message_of(run).options
    actors.send(run)
    wrong = observe(b"no file", partition)
    actors.send(wrong)
    workers(**tracing(collector, "one"))
    wait_for(lambda: any(span.is_error for span in collector.spans))
    wait_for(lambda: any(span.name == "compute" for span in collector.spans))
    dead = [span for span in collector.spans if span.is_error]
    assert [(span.name, span.attributes["otcpipe.outcome"]) for span in dead] == [("cache", "dead")]
    assert dead[0].attributes["otcpipe.reason"]
    roots = [span for span in collector.spans if not span.parent_id]
    assert [span.name for span in roots] == ["cache", "cache"]
    assert {span.trace_id for span in collector.spans} == {span.trace_id for span in roots}


def test_work_goes_on_while_no_collector_answers(workers: Workers, here: Here, sql: Sql, tmp_path: Path) -> None:
    worker = workers(**SOON, OTCPIPE_TRACES_URL="http://user:s3cr3t-token@127.0.0.1:9")
    assert here("import", min(DATA.glob("finra_otc_weekly_otc_*.csv.gz"))).returncode == 0
    wait_for(lambda: sql("select 1 from otc.stage_run where stage = 'compute' and state = 'done'"))
    began = time.monotonic()
    worker.terminate()
    assert worker.wait(30) == 0
    assert time.monotonic() - began < 20  # one attempt to send takes ten, and is tried again
    log = (tmp_path / "worker0.log").read_text()
    assert "s3cr3t-token" not in log and "Traceback" not in log


@pytest.mark.usefixtures("environment")
def test_without_the_setting_nothing_that_makes_spans_is_imported() -> None:
    code = "import actors, sys; actors.broker().emit_after('process_boot'); print([*sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "actors.fetch" in printed
    for module in ("otcpipe.broker.spans", "opentelemetry.exporter", "opentelemetry.sdk.trace"):
        assert module not in printed  # a client of Redis imports what counts requests if it is installed


@pytest.mark.parametrize(
    "command", [["dramatiq", "actors", "--processes", "1", "--threads", "1"], ["otcpipe", "up"]], ids=["worker", "up"]
)
def test_a_missing_extra_is_a_sentence_and_nothing_is_started(
    command: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "opentelemetry.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'opentelemetry'\", name='opentelemetry')"
    )
    variables = (
        os.environ | environment | {"OTCPIPE_TRACES_URL": "http://127.0.0.1:4318", "PYTHONPATH": str(tmp_path)}
    )
    done = subprocess.run(
        [sys.executable, "-m", *command], env=variables, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "OTCPIPE_TRACES_URL is set, but the package opentelemetry is missing: run `pip" in done.stderr
    assert "Traceback" not in done.stderr and "ready for action" not in done.stderr


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("https://user:password@traces.example/", "https://user:password@traces.example/v1/traces"),
        ("https://traces.example/otlp/v1/traces?of=us", "https://traces.example/otlp/v1/traces?of=us"),
    ],
)
def test_a_url_without_a_path_means_the_standard_s_path(url: str, address: str) -> None:
    assert endpoint(url) == address


def test_counts_are_attributes_of_their_own_and_what_is_none_is_left_out() -> None:
    assert dict(flat({"counts": {"rows": 7}, "reason": None, "tier": "T1"})) == {"counts.rows": 7, "tier": "T1"}
