"""Histories through the pipeline, each loaded once and looked at by every metric's tests."""

import csv
import gzip
from collections.abc import Callable, Collection, Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from typing import NamedTuple

import pytest

from otcpipe.stack import Supervisor
from tests.conftest import DATA, place
from tests.metrics.generate import History, history
from tests.metrics.load import load, tables
from tests.metrics.records import Record, Row
from tests.support.pipeline import NOON

FILES = {"20251215": date(2025, 11, 14), "20251222": date(2025, 11, 21)}  # publication: the week


class World(NamedTuple):
    history: History
    tables: dict[str, list[Row]]
    known: dict[str, list[Row]]  # the same, as of the observation


@pytest.fixture(scope="session")
def loaded(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., World]:
    """Load a history in a place of its own."""

    def take(made: History, seed: int = 0, names: Collection[str] | None = None) -> World:
        with place(servers, tmp_path_factory.mktemp("home")):
            return World(made, load(made, seed, names), tables(NOON, names))

    return take


@pytest.fixture(scope="session")
def world(loaded: Callable[..., World]) -> Callable[[int | str], World]:
    """A generated history by its number, or FINRA's `files`."""

    @cache
    def take(name: int | str) -> World:
        return loaded(files()) if isinstance(name, str) else loaded(history(name), name)

    return take


def files() -> History:
    records = [record for published, week in FILES.items() for record in _downloaded(published, week)]
    return History(records, {(week, "OTCE"): "ats" for week in FILES.values()})


def _downloaded(published: str, week: date) -> Iterator[Record]:
    with gzip.open(DATA / f"finra_otc_weekly_otc_{published}.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines, delimiter="|", quoting=csv.QUOTE_NONE):
            yield Record(
                week,
                "OTCE",
                "ATS",
                row["issueSymbolIdentifier"] or None,
                Decimal(row["totalWeeklyShareQuantity"]),
                int(row["totalWeeklyTradeCount"]),
                row["MPID"],
                venue_name=row["marketParticipantName"],
                issue_name=row["issueName"],
            )
