"""A real web server on real servers, with a week that was restated and names that are hostile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from otcpipe import resources
from otcpipe.records import Partition
from otcpipe.stack import Supervisor
from otcpipe.storage import reader
from otcpipe.web import serving
from tests.conftest import place
from tests.support.pipeline import api_text, drive, observe

WEEK, BEFORE = date(2025, 11, 14), date(2025, 11, 7)
FIRST_SEEN, SEEN_AGAIN = (datetime(2025, 12, day, 12, tzinfo=UTC) for day in (15, 20))
HOSTILE = "<script>window.injected=1</script>\"'&"
TOKEN = "a-token-of-these-tests"


class Site(NamedTuple):
    """A running server: asks it for an address, and knows where it is."""

    origin: str
    variables: dict[str, str]
    get: Callable[..., requests.Response]


def rows(shares: str) -> list[dict[str, object]]:
    """Rows of three symbols, one with a hostile name; `shares` are those of AAPL at a venue."""
    return [
        {"issueSymbolIdentifier": "AAPL", "issueName": "Apple Inc", "totalWeeklyShareQuantity": shares},
        {
            "issueSymbolIdentifier": "AAPL",
            "issueName": "Apple Inc",
            "MPID": "BBBB",
            "marketParticipantName": "BBBB POOL",
        },
        {
            "issueSymbolIdentifier": "AAPL",
            "issueName": "Apple Inc",
            "MPID": "",
            "firmCRDNumber": 7691,
            "marketParticipantName": HOSTILE,
            "summaryTypeCode": "OTC_W_SMBL_FIRM",
        },
        {"issueSymbolIdentifier": "BRK.B", "issueName": "Berkshire Hathaway"},
        {"issueSymbolIdentifier": "A/B <i>", "issueName": HOSTILE},
    ]


def load() -> None:
    """Load two weeks, and the newer one again with another number of AAPL's shares."""
    for week in (BEFORE, WEEK):
        for tier in ("T1", "T2", "OTCE"):
            partition = Partition(week, tier)
            text = api_text(rows("1000.5") if tier == "T1" else [{"issueSymbolIdentifier": f"{tier}X"}], partition)
            drive(observe(text, partition, FIRST_SEEN, "all"))
    drive(observe(api_text(rows("2500"), Partition(WEEK, "T1")), Partition(WEEK, "T1"), SEEN_AGAIN, "all"))


@contextmanager
def serving_here() -> Iterator[tuple[str, Callable[..., requests.Response]]]:
    """Serve the current settings' database; yields the origin, and what asks it for an address."""
    with resources.database().transaction() as transaction:
        reader.make(transaction)
    server, listener = serving.prepare(resources.settings(), "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get(path: str, **more: object) -> requests.Response:
        return session.get(origin + path, timeout=30, **more)  # type: ignore[arg-type]

    try:
        yield origin, get
    finally:
        session.close()
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def running(servers: Supervisor, home: Path, load: Callable[[], object]) -> Iterator[Site]:
    """A server in a place of its own, after something was loaded."""
    with place(servers, home, OTCPIPE_WEB_TOKEN=TOKEN, OTCPIPE_NOW="2026-01-10T12:00:00Z") as variables:
        load()
        with serving_here() as (origin, get):
            yield Site(origin, variables, get)


@pytest.fixture(scope="package")
def site(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(servers, tmp_path_factory.mktemp("home"), load) as found:
        yield found
