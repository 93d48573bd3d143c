"""Whatever the server sends, reading a page or a partition ends in time and within bounds."""

import gc
import json
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from dramatiq.middleware import TimeLimitExceeded

from otcpipe.broker.interrupts import raise_in_thread
from otcpipe.errors import Defective
from otcpipe.finra.client import Finra
from otcpipe.finra.pages import page
from otcpipe.finra.transport import Answer, expand
from otcpipe.settings import Settings
from otcpipe.stages import fetch, paging
from tests.finra_server import ALWAYS, Dataset, Fault, FinraServer, Kind
from tests.support.finra_client import KEY, LINES, T1, client, held, read, rows_of

MEGABYTE = 1 << 20
NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PAGE_ROWS", 100)


@pytest.fixture
def server() -> Iterator[FinraServer]:
    with FinraServer(Dataset({KEY: LINES})) as running:
        yield running


@pytest.fixture
def quiet_collector() -> Iterator[None]:
    """No callbacks of the garbage collector, as hypothesis has: an interrupt that falls into one is lost."""
    callbacks = gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks[:] = callbacks


def patient(server: FinraServer) -> Finra:
    """A client whose requests may take a minute."""
    return Finra(Settings({"FINRA_URL": server.url}), lambda: None, timeout=(1, 60), pause=30)


@pytest.mark.parametrize("keep", [0, 20, 400], ids=["the status line", "a header", "the body"])
@pytest.mark.parametrize("at", [1, 3])
def test_an_answer_that_drips_is_abandoned_and_requested_again(server: FinraServer, keep: int, at: int) -> None:
    server.faults.add(Fault(Kind.DRIP, at=at, keep=keep, seconds=0.2))
    start = time.monotonic()
    assert rows_of(read(server)) == held(server)
    assert time.monotonic() - start < 5


def test_a_server_that_always_drips_is_a_reason(server: FinraServer) -> None:
    server.faults.add(Fault(Kind.DRIP, keep=300, seconds=0.2, times=ALWAYS))
    start = time.monotonic()
    with pytest.raises(Defective, match="does not answer"):
        read(server)
    assert time.monotonic() - start < 15


def test_a_token_that_drips_is_given_up(server: FinraServer) -> None:
    server.faults.add(Fault(Kind.DRIP, on="oauth2", keep=100, seconds=0.2))
    assert rows_of(read(server, FINRA_CLIENT_ID="client", FINRA_CLIENT_SECRET="secret")) == held(server)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.HANG, at=2, times=ALWAYS, seconds=30),
        Fault(Kind.DRIP, at=2, times=ALWAYS, seconds=1, keep=400),
        Fault(Kind.TOO_MANY, at=2, times=ALWAYS, retry_after="100"),
        Fault(Kind.STATUS, at=2, times=ALWAYS),
    ],
    ids=lambda fault: fault.kind.name,
)
def test_a_partition_has_a_deadline(server: FinraServer, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_SECONDS", 1.0)
    server.faults.add(fault)
    start = time.monotonic()
    with pytest.raises(Defective, match="took longer than its time limit"):
        fetch.fetch_partition(patient(server), T1, NOW, is_captured=False)
    assert time.monotonic() - start < 4
    assert_no_page_is_under_way()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.HANG, at=1, times=ALWAYS, seconds=60),
        Fault(Kind.HANG, at=3, times=ALWAYS, seconds=60),
        Fault(Kind.DRIP, at=3, times=ALWAYS, seconds=1, keep=400),
        Fault(Kind.TOO_MANY, at=3, times=ALWAYS, retry_after="100"),
        Fault(Kind.STATUS, at=3, times=ALWAYS),
        Fault(Kind.HANG, on="/partitions/", times=ALWAYS, seconds=60),
    ],
    ids=lambda fault: f"{fault.kind.name} {fault.on} {fault.at}",
)
@pytest.mark.usefixtures("quiet_collector")
def test_a_stage_past_its_time_limit_stops_its_pages(server: FinraServer, fault: Fault) -> None:
    if fault.on == "/partitions/":
        server.dataset.remove(KEY)
    server.faults.add(fault)
    ended: list[BaseException] = []

    def stage() -> None:
        try:
            fetch.fetch_partition(patient(server), T1, NOW, is_captured=False)
        except TimeLimitExceeded as limit:
            ended.append(limit)

    thread = threading.Thread(target=stage)
    thread.start()
    wait_until(lambda: any(seen.fault for seen in server.requests))
    wait_until(lambda: raise_in_thread(thread.ident or 0, TimeLimitExceeded))
    start = time.monotonic()
    thread.join(5)
    assert ended
    assert_no_page_is_under_way()
    assert time.monotonic() - start < 5
    seen = len(server.requests)
    time.sleep(0.5)
    assert len(server.requests) == seen


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def assert_no_page_is_under_way() -> None:
    wait_until(lambda: not any(thread.name.startswith("finra") for thread in threading.enumerate()))


@pytest.mark.parametrize("total", ["10000000000000", "600000", "9" * 5000, "-1", "1e3", "\xb2", "12.0"])
def test_a_total_that_no_partition_has_is_not_believed(server: FinraServer, total: str) -> None:
    server.faults.add(Fault(Kind.WRONG_TOTAL, total=total, times=ALWAYS))
    with pytest.raises(Defective, match="Record-Total"):
        read(server)
    assert len(server.requests) <= 6


def test_a_total_that_is_wrong_but_possible_costs_few_requests(server: FinraServer) -> None:
    server.faults.add(Fault(Kind.WRONG_TOTAL, total="500000", times=ALWAYS))
    with pytest.raises(Defective, match="kept changing"):
        read(server)
    assert len(server.requests) < 400  # four attempts of 15 pages that exist, and what was under way


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.BOMB, size=30 * MEGABYTE, times=ALWAYS),
        Fault(Kind.WIDE_HEADER, size=70_000, times=ALWAYS),
        Fault(Kind.WIDE_HEADER, size=5 * MEGABYTE, times=ALWAYS),
    ],
    ids=lambda fault: f"{fault.kind.name} {fault.size}",
)
def test_an_answer_out_of_proportion_is_a_reason(server: FinraServer, fault: Fault) -> None:
    server.faults.add(fault)
    with pytest.raises(Defective):
        read(server)


@pytest.mark.parametrize("more", [b"", b"x", b"\0"])
def test_gzip_ends_just_where_the_body_does(more: bytes) -> None:
    packed = zlib.compress(b"a|b\n" * 100, wbits=31)
    assert expand(packed) == b"a|b\n" * 100
    for wrong in [packed[:at] for at in range(1, len(packed))] + [packed + more + packed]:
        with pytest.raises(Defective):
            expand(wrong)


def test_a_page_of_any_shape_costs_little() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile_pages"], capture_output=True, text=True, timeout=100, check=True
    )
    results = json.loads(done.stdout)
    assert results["megabytes"] < 1000
    assert all(seconds < 10 for _, seconds in results["costs"].values())
    assert {results["costs"][f"{shape} False"][0] for shape in ("bars", "short rows", "a bomb")} == {"TooLarge"}


def test_a_partition_of_too_many_bytes_is_a_reason(server: FinraServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_BYTES", 30_000)
    with pytest.raises(Defective, match="MiB"):
        read(server)


def test_connections_are_kept(server: FinraServer) -> None:
    finra = client(server)
    for _ in range(20):
        finra.page(T1, 0, 5)
    pools = cast("Any", finra._transport.session.get_adapter("http://")).poolmanager.pools
    assert [pools.get(key).num_connections for key in pools.keys()] == [1]  # noqa: SIM118 - no mapping


@pytest.mark.parametrize("body", [b'[{"a":1,"b":2},{"a":1,"b":2,"a":3}]', b'[{"a":null,"\\u0061":1}]'])
def test_a_row_with_two_values_of_one_field_is_no_data(body: bytes) -> None:
    with pytest.raises(ValueError, match="a name twice"):
        page(Answer(200, {"Record-Total": "2"}, body), is_json=True)
