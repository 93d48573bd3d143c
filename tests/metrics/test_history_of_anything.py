"""The history against its definition, after any captures, decisions and imports in any order of arrival."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from otcpipe import resources
from otcpipe.pipeline import decisions
from otcpipe.pipeline.decisions import Decision
from otcpipe.pipeline.volumes import imports
from otcpipe.pipeline.volumes.imports import CBOE, CONSOLIDATED, MARKET, SPLITS, Import
from otcpipe.records import Partition
from otcpipe.stack import Supervisor
from otcpipe.storage.keys import sha256
from otcpipe.weeks import due_at, published_on
from tests.conftest import place, querying
from tests.metrics.test_history import WEEK, assert_always_defined, assert_without_overlap, build, spoiled, weeks
from tests.metrics.test_market_share import computed
from tests.pipeline.volumes.samples import market_file, split_file, traded, volume_file
from tests.support.pipeline import accept, api_text, drive, file_text, observe, reconciled

Sql = Callable[..., list[tuple[Any, ...]]]
PARTITIONS = [*weeks(2, "T1"), *weeks(1, "OTCE")]
DECIDED = datetime(2026, 12, 1, tzinfo=UTC)  # and on the days after it
SYMBOLS, VENUES = ("A", "B"), ("AAAA", "BBBB", "7")  # the last is the number of a firm that is no ATS
ROWS = st.dictionaries(
    st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(VENUES)), st.integers(1, 3), min_size=1, max_size=5
)


SUBJECTS = {
    "withdraw": "fetched_key, week_ending, tier from otc.capture",
    "restore": "fetched_key, week_ending, tier from otc.capture where is_withdrawn",
    "accept": "null, week_ending, tier from otc.held_partition",
}


@dataclass(frozen=True)
class Observed:
    """An answer of the API, a file of the website, or an answer that is held."""

    kind: str
    partition: Partition
    hours: int  # after the planned publication
    rows: dict[tuple[str, str], int]  # shares by symbol and venue
    late: int  # days from the planned publication to the actual
    updated: int  # days from that to the last update of the first row

    def content(self) -> bytes:
        if self.kind == "held":
            return spoiled(self.partition)
        day = published_on(self.partition.week_ending, self.partition.tier) + timedelta(days=self.late)
        if self.kind == "file":
            of_ats = [(*key, shares, shares) for key, shares in self.rows.items() if key[1] != "7"]
            return file_text(of_ats or [("A", "AAAA", 1, 1)], self.partition.tier, day + timedelta(days=self.updated))
        firm = {"MPID": "", "firmCRDNumber": 7, "marketParticipantName": "FIRM", "summaryTypeCode": "OTC_W_SMBL_FIRM"}
        return api_text(
            [
                {
                    "issueSymbolIdentifier": symbol,
                    "totalWeeklyShareQuantity": shares,
                    "initialPublishedDate": day,
                    "lastUpdateDate": day + timedelta(days=0 if number else self.updated),
                    **(firm if venue == "7" else {"MPID": venue}),
                }
                for number, ((symbol, venue), shares) in enumerate(self.rows.items())
            ],
            self.partition,
        )

    def happen(self) -> None:
        at = due_at(self.partition.week_ending, self.partition.tier) + timedelta(hours=self.hours)
        drive(observe(self.content(), self.partition, at, "ats" if self.kind == "file" else "all"))


@dataclass(frozen=True)
class Decided:
    """A decision about a capture or a partition; nothing is decided where none is of the kind."""

    kind: str
    number: int  # of those that are

    def happen(self, sql: Sql, at: datetime) -> None:
        subjects = sql(f"select {SUBJECTS[self.kind]} order by 1, 2")
        if subjects:
            key, *of = subjects[self.number % len(subjects)]
            partition = Partition(*of)
            if self.kind == "accept":
                accept(partition, at=at)
            else:
                decision = Decision(self.kind, partition, key, "an example", at)
                prefix = resources.settings()["S3_PREFIX"]
                decisions.record(resources.database(), resources.store(), prefix, decision)
        drive(*reconciled())


@dataclass(frozen=True)
class Imported:
    """A file of splits, of the market's volume or of each symbol's."""

    dataset: str
    hours: int
    number: int

    def content(self) -> str:
        monday = WEEK - timedelta(days=4) + timedelta(days=7 * (self.number % 2))
        if self.dataset == SPLITS:
            return split_file(
                [("AB"[self.number % 2], monday + timedelta(days=self.number % 5), f"{self.number + 2}:1")]
            )
        if self.dataset == MARKET:
            return market_file(traded(monday, monday + timedelta(days=4), self.number))
        return volume_file([("A", monday + timedelta(days=day), self.number * 1000) for day in range(5)])

    def happen(self) -> None:
        text, source = self.content(), "S" if self.dataset == CONSOLIDATED else CBOE
        one = Import(self.dataset, source, sha256(text.encode()), due_at(WEEK, "T1") + timedelta(hours=self.hours))
        stores = resources.store(), resources.settings()["S3_PREFIX"]
        imports.store(*stores, one, text.encode())
        imports.apply(resources.database(), *stores, one, imports.read(self.dataset, source, text.encode())[0])
        computed()


class Built:
    """The histories are built meanwhile, so that what follows continues them or makes them stale."""


def observed(kind: str) -> st.SearchStrategy[Observed]:
    days = st.integers(-30, 30).map(lambda number: number * 24 + 2)
    late, updated = st.sampled_from([0, 0, -1, 7]), st.sampled_from([0, 0, 1, 9])
    return st.builds(
        Observed, st.just(kind), st.sampled_from(PARTITIONS), days | st.integers(0, 20), ROWS, late, updated
    )


def decided(kind: str) -> st.SearchStrategy[Decided]:
    return st.builds(Decided, st.just(kind), st.integers(0, 9))


def imported(*datasets: str) -> st.SearchStrategy[Imported]:
    return st.builds(Imported, st.sampled_from(datasets), st.integers(-99, 999), st.integers(0, 9))


def in_any_order(*events: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.tuples(*events).flatmap(st.permutations)


BUILT = st.builds(Built)
EVENTS = st.builds(
    list.__add__,
    in_any_order(*[observed("api") for _ in range(4)], observed("file"), observed("held"), imported(SPLITS), BUILT),
    in_any_order(
        decided("withdraw"),
        decided("accept"),
        observed("api"),
        observed("file"),
        imported(MARKET, CONSOLIDATED, SPLITS),
        BUILT,
        decided("restore"),
    ),
)
FEW = settings(max_examples=3, database=None, phases=[Phase.generate])  # each takes seconds


def check(sql: Sql, events: list[Any]) -> None:
    for number, event in enumerate(events):
        if isinstance(event, Decided):
            event.happen(sql, DECIDED + timedelta(days=number))
        elif isinstance(event, Built):
            build()
        else:
            event.happen()
    build()
    assert_without_overlap(sql)
    assert_always_defined(sql)
    assert build() == 0


@pytest.mark.parametrize("number", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in range(1, 20))])
def test_at_every_moment_the_history_is_the_answer_as_of_it(
    number: int, servers: Supervisor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @seed(number)
    @FEW
    @given(events=EVENTS)
    def holds(events: list[Any]) -> None:
        with place(servers, tmp_path_factory.mktemp("home")) as variables:
            check(querying(variables), events)

    holds()
