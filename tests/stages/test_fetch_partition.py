"""The client against a server that speaks FINRA's protocol: complete, or a named reason; never wrong."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from otcpipe.datasets import WEEKLY
from otcpipe.errors import Defective, Permanent
from otcpipe.stages import fetch, paging
from tests.finra_server import ALWAYS, Dataset, Fault, Faults, FinraServer, Kind, chaos, generate
from tests.support.finra_client import KEY, LINES, T1, client, held, read, rows_of

PAGE = 100
NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pages of few rows, and short waits."""
    monkeypatch.setattr(paging, "PAGE_ROWS", PAGE)


@pytest.fixture
def server() -> Iterator[FinraServer]:
    with FinraServer(Dataset({KEY: LINES, (T1.week_start, "T2"): LINES[:3]})) as running:
        yield running


def test_all_pages_are_read_and_both_ends_read_again(server: FinraServer) -> None:
    found = read(server)
    assert found
    assert rows_of(found) == held(server)
    pages = 1 + -(-(len(LINES) - PAGE) // (PAGE - 1))
    assert (found.total, found.pages, len(server.requests)) == (len(LINES), pages + 2, pages + 2)
    assert len(set(found.request_ids)) == pages + 2


def test_the_bytes_do_not_depend_on_the_size_of_pages_or_the_format(
    server: FinraServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read(server)
    monkeypatch.setattr(paging, "PAGE_ROWS", 37)
    assert first
    assert [read(server), read(server, FINRA_FORMAT="json")] != [None, None]
    assert {first.content} == {
        found.content for found in (read(server), read(server, FINRA_FORMAT="json")) if found is not None
    }


def test_pages_that_are_short_by_their_bytes_are_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with FinraServer(Dataset({KEY: LINES}), most_bytes=5000) as server:
        found = read(server)
        assert rows_of(found) == held(server)
        assert found
        assert found.pages > 2 * len(LINES) / PAGE


@pytest.mark.parametrize("as_list", [False, True])
def test_no_rows_are_not_published_yet(as_list: bool) -> None:
    with FinraServer(Dataset({}), empty_as_list=as_list) as server:
        assert read(server, FINRA_FORMAT="json" if as_list else "text") is None
        assert len(server.requests) == 1


def test_no_rows_of_a_captured_partition_are_a_permanent_error() -> None:
    with FinraServer(Dataset({})) as server, pytest.raises(Permanent, match="its records are unchanged"):
        fetch.fetch_partition(client(server), T1, NOW, is_captured=True)


def test_a_week_that_left_the_rolling_dataset_is_read_from_the_historic_one() -> None:
    dataset = Dataset({KEY: LINES}, historic_before=date(2026, 6, 1))
    with FinraServer(dataset) as server:
        now = NOW.replace(year=2028)
        assert rows_of(fetch.fetch_partition(client(server), T1, now, is_captured=False)) == held(server)


def test_an_empty_answer_that_finras_own_list_contradicts_is_not_believed(server: FinraServer) -> None:
    server.faults.add(Fault(Kind.EMPTY))
    with pytest.raises(Defective, match="lists the partition"):
        fetch.fetch_partition(client(server), T1, NOW, is_captured=False)
    assert rows_of(fetch.fetch_partition(client(server), T1, NOW, is_captured=False)) == held(server)


PASSING = [
    Kind.REFUSE,
    Kind.DROP,
    Kind.RESET,
    Kind.CUT,
    Kind.HANG,
    Kind.TOO_MANY,
    Kind.HTML,
    Kind.OBJECT,
    Kind.SHORT_PAGE,
    Kind.REPEATED_PAGE,
    Kind.NO_TOTAL,
    Kind.GROWN,
    Kind.WITHDRAWN,
    Kind.BOM,
    Kind.CRLF,
    Kind.FOREIGN_ROW,
    Kind.STALE_FIRST_PAGE,
]


@pytest.mark.parametrize("kind", PASSING, ids=lambda kind: kind.name)
@pytest.mark.parametrize("at", [1, 3])
def test_a_fault_that_passes_leaves_no_trace(kind: Kind, at: int, server: FinraServer) -> None:
    server.faults.add(Fault(kind, at=at, seconds=1))
    assert rows_of(read(server)) == held(server)
    assert server.faults.struck or server.refused


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_retried(status: int, server: FinraServer) -> None:
    server.faults.add(Fault(Kind.STATUS, at=2, times=2, status=status))
    assert rows_of(read(server)) == held(server)


@pytest.mark.parametrize("retry_after", ["0", "1", None])
def test_too_many_requests_are_waited_for_as_long_as_is_said(retry_after: str | None, server: FinraServer) -> None:
    server.faults.add(Fault(Kind.TOO_MANY, at=2, retry_after=retry_after))
    assert rows_of(read(server)) == held(server)
    refused, *after = [seen.at for seen in server.requests if seen.fault or seen.body == refused_body(server)]
    assert min(at - refused for at in after) >= float(retry_after or 0)


def refused_body(server: FinraServer) -> object:
    return next(seen.body for seen in server.requests if seen.fault)


@pytest.mark.parametrize(
    "kind",
    [Kind.REFUSE, Kind.HANG, Kind.TOO_MANY, Kind.HTML, Kind.OBJECT, Kind.NO_TOTAL, Kind.REPEATED_PAGE, Kind.GROWN],
)
def test_a_fault_that_stays_is_a_reason_and_never_rows(kind: Kind, server: FinraServer) -> None:
    server.faults.add(Fault(kind, at=1, times=ALWAYS, seconds=1, retry_after="0"))
    with pytest.raises(Defective):
        read(server)


def test_a_missing_column_is_a_permanent_error_that_names_it(server: FinraServer) -> None:
    server.faults.add(Fault(Kind.MISSING_COLUMN, times=ALWAYS, column="MPID"))
    with pytest.raises(Permanent, match="lacks the column MPID"):
        read(server)


def test_an_added_column_is_kept(server: FinraServer) -> None:
    server.faults.add(Fault(Kind.ADDED_COLUMN, times=ALWAYS))
    found = read(server)
    assert found
    assert b"newColumn" in found.content.split(b"\n", 1)[0]
    assert found.total == len(LINES)


def test_partitions_of_unknown_tiers_are_ignored() -> None:
    dataset = Dataset({KEY: LINES, (T1.week_start, "NA"): LINES[:6], (date(2023, 11, 6), "NMS"): LINES[:2]})
    with FinraServer(dataset) as server:
        assert client(server).partitions() == {T1}


def test_requests_identify_the_client(server: FinraServer) -> None:
    headers = client(server, CONTACT="ops@example.org")._session.headers
    assert str(headers["User-Agent"]).startswith("otcpipe/")
    assert "(ops@example.org)" in str(headers["User-Agent"])


def test_the_request_is_for_one_partition_in_a_total_order(server: FinraServer) -> None:
    read(server)
    body = json.loads(server.requests[0].body)
    assert {entry["fieldName"]: entry["compareType"] for entry in body["compareFilters"]} == {
        "weekStartDate": "EQUAL",
        "tierIdentifier": "EQUAL",
    }
    assert set(body["sortFields"]) == set(WEEKLY.identity)
    assert (body["delimiter"], body["quoteValues"]) == ("|", False)


@pytest.mark.parametrize("seed", range(25))
def test_under_random_faults_a_partition_is_complete_or_has_a_reason(seed: int) -> None:
    outcome(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_under_random_faults_a_hundred_times(seed: int) -> None:
    outcome(seed)


def outcome(seed: int) -> None:
    dataset = Dataset({KEY: generate(T1.week_start, "T1", 30, seed=seed)})
    states = [sorted(dataset.partition(KEY).lines)]
    with FinraServer(dataset, chaos(seed)) as server:
        try:
            asked = client(server, FINRA_FORMAT="json" if seed % 4 == 0 else "text")
            found = fetch.fetch_partition(asked, T1, NOW, is_captured=False)
        except (Defective, Permanent) as reason:
            assert str(reason).endswith(".")  # noqa: PT017 - either outcome is good
            return
        states.append(held(server))
        rows = [row.split("|") for row in rows_of(found)]
        assert sorted("|".join(row[:17]) for row in rows) in states
    assert isinstance(server.faults, Faults)
