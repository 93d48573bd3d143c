"""An observation is dated by its last request to FINRA, however late its worker stores it."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.pipeline import definition, ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage import keys
from otcpipe.weeks import week_ending
from tests.conftest import forget
from tests.finra_server import FinraServer, generated
from tests.finra_server.faults import Fault, Kind
from tests.support.pipeline import drive

MONDAY = date(2025, 6, 2)
LATE_SECONDS = 1.0


def test_the_moment_of_an_observation_is_not_after_its_last_request(
    environment: dict[str, str], sql: Callable[..., list[tuple[Any, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = Partition(week_ending(MONDAY), "OTCE")
    late = [Fault(Kind.HANG, at=2, times=5, seconds=LATE_SECONDS)]
    with FinraServer(generated([MONDAY]), late) as finra:
        monkeypatch.setenv("OTCPIPE_FINRA_URL", finra.url)
        forget()
        run = Run(definition.named("fetch"), keys.of_partition(resources.settings()["S3_PREFIX"], partition))
        drive(ledger.request(resources.database(), run))
        asked = [_wall_clock(seen.at) for seen in finra.requests]
    ((observed_at,),) = sql("select observed_at from otc.capture")
    assert len(asked) > 1
    assert asked[0] <= observed_at <= asked[-1] < datetime.now(UTC) - timedelta(seconds=LATE_SECONDS)


def _wall_clock(at: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=time.monotonic() - at)
