"""A place with two real weeks, and a week of the API's, with awkward symbols, that was restated."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from otcpipe.records import Partition
from otcpipe.stack import Supervisor
from tests.conftest import place
from tests.metrics.conftest import files
from tests.metrics.load import load
from tests.support.pipeline import api_text, drive, observe

WEEK = date(2025, 11, 14)
OTHER = date(2025, 10, 3)


@pytest.fixture(scope="package", autouse=True)
def two_real_weeks(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with place(servers, tmp_path_factory.mktemp("home")) as variables:
        load(files())
        for day, shares in enumerate(("1.5", "2.000001")):
            rows = [
                {
                    "issueSymbolIdentifier": symbol,
                    "totalWeeklyShareQuantity": shares,
                    "lastUpdateDate": f"2025-10-{27 + day}",
                }
                | {"initialPublishedDate": "2025-10-27"}
                for symbol in ("NA", "brk.b", "BRK.B")
            ]
            at = datetime(2025, 10, 27 + day, 12, tzinfo=UTC)
            drive(observe(api_text(rows, Partition(OTHER, "T1")), Partition(OTHER, "T1"), at, "all"))
        yield variables
