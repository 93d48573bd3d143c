"""The stand-in for FINRA behaves as FINRA does, and each fault as its name says."""

import gzip
import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.finra_server import (
    ALWAYS,
    FIELDS,
    FULL,
    Dataset,
    Fault,
    FinraServer,
    Framing,
    Kind,
    Row,
    Tokens,
    cached,
    chaos,
    generate,
    generated,
    published_on,
    recorded,
)
from tests.finra_server.rows import amounts, identity, json_number, to_row, value_of, with_values
from tests.support.interrupts import IGNORING_SIGINT

WEEK = date(2026, 6, 29)
BEFORE = date(2026, 6, 22)
T1 = (WEEK, "T1")
DATA = "/data/group/otcMarket/name/weeklySummary"
PARTITIONS = "/partitions/group/otcMarket/name/weeklySummary"
TOTAL_ORDER = [
    "summaryTypeCode",
    "issueSymbolIdentifier",
    "issueName",
    "productTypeCode",
    "MPID",
    "firmCRDNumber",
]
ON_BOTH_KEYS = [
    {"fieldName": "weekStartDate", "fieldValue": str(WEEK), "compareType": "EQUAL"},
    {"fieldName": "tierIdentifier", "fieldValue": "T1", "compareType": "EQUAL"},
]
WHOLE = {
    "compareFilters": ON_BOTH_KEYS,
    "sortFields": TOTAL_ORDER,
    "limit": 5000,
    "delimiter": "|",
    "quoteValues": False,
}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return generated([BEFORE, WEEK])


@pytest.fixture
def server(dataset: Dataset) -> Iterator[FinraServer]:
    with FinraServer(dataset) as server:
        yield server


@pytest.fixture
def changing() -> Iterator[FinraServer]:
    """A server whose partition a test may change."""
    with FinraServer(Dataset({T1: generate(WEEK, "T1", 20)})) as server:
        yield server


@pytest.fixture(autouse=True)
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def post(server: FinraServer, http: requests.Session, accept: str = "text/plain", **body: Any) -> requests.Response:
    return http.post(server.url + DATA, json={**WHOLE, **body}, headers={"Accept": accept}, timeout=5)


def lines_of(answer: requests.Response) -> list[str]:
    """The rows of a text page, without the header; only LF ends a line."""
    return answer.content.decode().removesuffix("\n").split("\n")[1:]


def total_of(answer: requests.Response) -> int:
    return int(answer.headers["Record-Total"])


def sums(rows: list[Row], kind: str, *by: str) -> dict[Row, tuple[int, ...]]:
    found: dict[Row, tuple[int, ...]] = defaultdict(lambda: (0, 0, 0))
    for row in rows:
        if value_of(row, "summaryTypeCode") == kind:
            key = tuple(value_of(row, name) for name in by)
            found[key] = tuple(map(sum, zip(found[key], amounts(row), strict=True)))
    return dict(found)


def assert_reconciled(rows: list[Row]) -> None:
    issue = ("issueSymbolIdentifier", "issueName", "productTypeCode")
    firm = ("MPID", "firmCRDNumber", "marketParticipantName")
    for kind in ("ATS", "OTC"):
        assert sums(rows, f"{kind}_W_SMBL_FIRM", *issue) == sums(rows, f"{kind}_W_SMBL", *issue)
        assert sums(rows, f"{kind}_W_SMBL_FIRM", *firm) == sums(rows, f"{kind}_W_FIRM", *firm)


# the data


@pytest.mark.parametrize("tier", ["T1", "T2", "OTCE"])
def test_totals_add_up_exactly_and_no_row_is_repeated(tier: str) -> None:
    rows = [to_row(line) for line in generate(WEEK, tier, 60)]
    assert_reconciled(rows)
    assert len({identity(row) for row in rows}) == len(rows)
    assert {value_of(row, "tierIdentifier") for row in rows} == {tier}


def test_the_same_seed_makes_the_same_partition_and_another_seed_another() -> None:
    assert generate(WEEK, "T1", 30) == generate(WEEK, "T1", 30) != generate(WEEK, "T1", 30, seed=1)


def test_the_awkward_rows_are_there() -> None:
    rows = [to_row(line) for line in generate(WEEK, "T2", 60)]
    symbols = {value_of(row, "issueSymbolIdentifier") for row in rows}
    assert symbols >= {"NA", "NAN", "BRK.B", "KKR$D", None}
    assert len({value_of(row, "issueName") for row in rows if value_of(row, "issueSymbolIdentifier") == "META"}) == 2
    tapes = {value_of(row, "productTypeCode") for row in rows if value_of(row, "issueSymbolIdentifier") == "TAPE"}
    assert tapes == {"UTP", "CTS"}
    names = "".join(value_of(row, "issueName") or "" for row in rows)
    assert all(mark in names for mark in (",", "&", "'", "%", "$", "  ", "/"))
    assert max(len(value_of(row, "issueName") or "") for row in rows) == 201
    assert sum(value_of(row, "marketParticipantName") == "De Minimis Firms" for row in rows) > 20
    assert all(value_of(row, "MPID") is None for row in rows if (value_of(row, "summaryTypeCode") or "")[:3] == "OTC")


def test_a_week_of_real_size_is_made_quickly_and_has_real_proportions(tmp_path: Path) -> None:
    start = time.monotonic()
    lines = cached(tmp_path, WEEK, "T1", FULL["T1"])
    assert time.monotonic() - start < 5
    assert 70_000 < len(lines) < 75_000
    fractional = sum("." in line.split("|", 1)[0] for line in lines) / len(lines)
    assert 0.11 < fractional < 0.16
    assert cached(tmp_path, WEEK, "T1", FULL["T1"]) == lines


def test_quantities_are_whole_before_finra_made_them_fractional() -> None:
    rows = [to_row(line) for line in generate(date(2024, 1, 1), "T1", 30)]
    assert not any(
        "." in (row[FIELDS.index(name)] or "") for row in rows for name in FIELDS if name.startswith("total")
    )


@pytest.mark.parametrize(
    ("week", "tier", "day"),
    [
        (date(2026, 11, 2), "T1", date(2026, 11, 23)),
        (date(2026, 10, 19), "OTCE", date(2026, 11, 23)),
        (date(2026, 8, 17), "T1", date(2026, 9, 8)),
        (date(2026, 9, 21), "T1", date(2026, 10, 12)),
        (date(2021, 12, 6), "T1", date(2021, 12, 27)),
        (date(2022, 12, 5), "T1", date(2022, 12, 27)),
    ],
)
def test_publication_is_on_monday_or_the_tuesday_after_a_holiday(week: date, tier: str, day: date) -> None:
    assert published_on(week, tier) == day


@pytest.mark.parametrize("change", ["restate", "withdraw", "grow"])
def test_changes_leave_firm_rows_and_totals_in_agreement(change: str) -> None:
    held = Dataset({T1: generate(WEEK, "T1", 20)})
    old = held.partition(T1).lines
    getattr(held, change)(T1, seed=3)
    assert held.partition(T1).lines != old
    assert_reconciled(held.rows(T1))
    held.revert(T1)
    assert held.partition(T1).lines == old


def test_a_change_of_single_rows_leaves_the_totals_as_they_are() -> None:
    held = Dataset({T1: generate(WEEK, "T1", 20)})
    held.change(T1, lambda row: None if value_of(row, "MPID") == "UBSA" else row)
    with pytest.raises(AssertionError):
        assert_reconciled(held.rows(T1))


def test_recorded_totals_are_served_with_a_firm_row_each(tmp_path: Path) -> None:
    path = tmp_path / "recorded.csv.gz"
    header = "weekStartDate,issueSymbolIdentifier,issueName,tierDescription,productTypeCode,"
    header += "totalWeeklyShareQuantity,totalWeeklyTradeCount,totalNotionalSum,"
    header += "initialPublishedDate,lastUpdateDate,lastReportedDate"
    facts = "2026-08-31,BRK.B,BERKSHIRE,NMS Tier 1,CTS,3219506,110682,1627897177.55394,"
    facts += "2026-09-21,2026-09-21,2026-09-04"
    path.write_bytes(gzip.compress(f"{header}\n{facts}\n".encode()))
    rows = Dataset(recorded(path)).rows((date(2026, 8, 31), "T1"))
    assert [value_of(row, "summaryTypeCode") for row in rows] == ["ATS_W_SMBL", "ATS_W_SMBL_FIRM"]
    assert [value_of(row, "totalNotionalSum") for row in rows] == ["1627897177.55394"] * 2


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("21779", "21779"),
        ("9763054589.653116", "9.763054589653116E9"),
        ("1234567.5", "1234567.5"),
        ("12345678.5", "1.23456785E7"),
        ("0.001", "0.001"),
        ("0.000123", "1.23E-4"),
        ("0.00001", "1.0E-5"),
    ],
)
def test_json_numbers_are_written_as_java_does(text: str, number: str) -> None:
    assert json_number(text) == number
    assert Decimal(number) == Decimal(text)


# the protocol


def test_pages_of_a_sorted_partition_make_it_up_in_text_and_in_json(
    server: FinraServer, http: requests.Session
) -> None:
    held = server.dataset.partition(T1).lines
    first = post(server, http, limit=400)
    pages = [post(server, http, limit=400, offset=at) for at in range(0, total_of(first), 400)]
    lines = [line for page in pages for line in lines_of(page)]
    assert sorted(lines) == sorted(held)
    assert first.text.split("\n")[0].split("|") == list(FIELDS)
    assert first.headers["Record-Limit"] == "400"
    assert first.headers["Record-Max-Limit"] == "5000"
    assert first.headers["FINRA-api-request-id"]
    assert first.headers["Content-Encoding"] == "gzip"
    asked = post(server, http, accept="application/json")
    rows = json.loads(asked.text, parse_float=Decimal)
    assert [list(row) for row in rows] == [list(FIELDS)] * len(rows)
    for row, line in zip(rows, lines, strict=True):
        for said, text in zip(row.values(), to_row(line), strict=True):
            assert said == (Decimal(text) if text and isinstance(said, (int, Decimal)) else text)


def test_sorted_rows_are_in_order_with_nulls_first(server: FinraServer, http: requests.Session) -> None:
    rows = [to_row(line) for line in lines_of(post(server, http))]
    keys = [tuple(value_of(row, name) or "" for name in TOTAL_ORDER[:5]) for row in rows]
    assert keys == sorted(keys)
    down = [to_row(line) for line in lines_of(post(server, http, sortFields=["-totalWeeklyTradeCount"]))]
    trades = [int(value_of(row, "totalWeeklyTradeCount") or 0) for row in down]
    assert trades == sorted(trades, reverse=True)


def test_ties_and_unsorted_rows_come_in_any_order(server: FinraServer, http: requests.Session) -> None:
    tied = {post(server, http, sortFields=["tierIdentifier"]).text for _ in range(20)}
    assert len(tied) == 3
    unsorted = [post(server, http, sortFields=[]) for _ in range(3)]
    assert len({page.text for page in unsorted}) == 3
    assert len({"\n".join(sorted(lines_of(page))) for page in unsorted}) == 1


def test_a_limit_is_1000_by_default_and_5000_at_most(dataset: Dataset, http: requests.Session) -> None:
    held = Dataset({T1: generate(WEEK, "T1", 300)})
    with FinraServer(held) as server:
        clamped = post(server, http, limit=9999)
        assert clamped.headers["Record-Limit"] == "5000"
        assert len(lines_of(clamped)) == 5000 < total_of(clamped)
        body = {"compareFilters": ON_BOTH_KEYS, "unknown": 1}
        plain = http.post(server.url + DATA.upper(), json=body, timeout=5)
        assert len(lines_of(plain)) == 1000
        assert plain.text.startswith('"totalWeeklyShareQuantity","issueSymbolIdentifier",')


def test_a_page_over_the_cap_on_bytes_is_short_and_is_not_the_last(dataset: Dataset, http: requests.Session) -> None:
    with FinraServer(dataset, most_bytes=20_000) as server:
        for accept in ("text/plain", "application/json"):
            page = post(server, http, accept=accept)
            assert len(page.content) <= 20_000
            rows = len(page.json()) if accept == "application/json" else len(lines_of(page))
            assert 10 < rows < total_of(page)


def test_no_rows_are_204_or_an_empty_list(dataset: Dataset, http: requests.Session) -> None:
    none: dict[str, Any] = {"compareFilters": [{**ON_BOTH_KEYS[0], "fieldValue": "2001-01-01"}, ON_BOTH_KEYS[1]]}
    with FinraServer(dataset) as server:
        answer = post(server, http, **none)
        assert (answer.status_code, answer.content, total_of(answer)) == (204, b"", 0)
        assert post(server, http).status_code == 200, "the connection still works"
    with FinraServer(dataset, empty_as_list=True) as server:
        answer = post(server, http, **none)
        assert (answer.status_code, answer.content, total_of(answer)) == (200, b"[]", 0)


def test_sorting_without_both_keys_is_an_error_in_json(server: FinraServer, http: requests.Session) -> None:
    answer = post(server, http, compareFilters=ON_BOTH_KEYS[:1])
    assert answer.status_code == 400
    prefix = "Sorting is allowed only if all partitions keys are specified in EQUAL CompareFilter"
    assert answer.json()["message"].startswith(prefix)
    assert answer.json()["statusDescription"] == "Bad Request"
    assert answer.json()["dataRequest"]["limit"] == 5000


@pytest.mark.parametrize(
    "wrong",
    [
        {"fields": ["nonsense"]},
        {"offset": 500_001},
        {"limit": "many"},
        {"delimiter": ";"},
        {"compareFilters": [{**ON_BOTH_KEYS[0], "fieldValue": "today"}]},
    ],
)
def test_a_wrong_body_is_a_400(server: FinraServer, http: requests.Session, wrong: dict[str, Any]) -> None:
    assert post(server, http, **wrong).status_code == 400


def test_filters_are_anded_and_ignored_on_get(server: FinraServer, http: requests.Session) -> None:
    firm = {"fieldName": "mpid", "fieldValue": "UBSA", "compareType": "EQUAL"}
    busy = {"fieldName": "totalWeeklyTradeCount", "fieldValue": "100", "compareType": "GREATER"}
    rows = post(server, http, "application/json", compareFilters=[*ON_BOTH_KEYS, firm, busy]).json()
    assert rows
    assert all(row["MPID"] == "UBSA" and row["totalWeeklyTradeCount"] > 100 for row in rows)
    got = http.get(server.url + DATA, params={"limit": "50", "weekStartDate": str(WEEK)}, timeout=5)
    assert "2023-11-06" in got.text, "it begins with the oldest partition"


def test_partitions_are_listed_newest_first_with_strays(server: FinraServer, http: requests.Session) -> None:
    listed = http.get(server.url + PARTITIONS, timeout=5).json()["availablePartitions"]
    pairs = [tuple(each["partitions"]) for each in listed]
    assert pairs[0][0] == str(WEEK)
    assert pairs[-1] == ("2023-11-06", "NMS")
    assert {tier for _, tier in pairs} == {"T1", "T2", "OTCE", "NA", "NMS"}
    for week, tier in (pairs[-1], (str(WEEK), "NA")):
        keys = [
            {"fieldName": "weekStartDate", "fieldValue": week},
            {"fieldName": "tierIdentifier", "fieldValue": tier},
        ]
        assert post(server, http, compareFilters=keys).status_code == 200
    metadata = http.get(server.url + PARTITIONS.replace("partitions", "metadata", 1), timeout=5).json()
    assert [field["name"] for field in metadata["fields"]] == list(FIELDS)


def test_what_is_not_published_yet_is_neither_listed_nor_served(http: requests.Session) -> None:
    for today, status in ((date(2026, 7, 19), 204), (date(2026, 7, 20), 200)):
        with FinraServer(generated([WEEK], today=today)) as server:
            assert post(server, http).status_code == status
            assert server.dataset.serves(T1) == (status == 200)


def test_old_weeks_are_in_the_historic_dataset_with_its_own_rules(http: requests.Session) -> None:
    with FinraServer(generated([WEEK], historic_before=date(2026, 7, 1))) as server:
        assert post(server, http).status_code == 204
        body = {"compareFilters": ON_BOTH_KEYS, "delimiter": "|", "quoteValues": False, "limit": 5000}
        pages = [http.post(server.url + DATA + "Historic", json=body, timeout=5) for _ in range(2)]
        assert sorted(lines_of(pages[0])) == sorted(server.dataset.partition(T1).lines)
        assert pages[0].text == pages[1].text
        assert (
            http.post(server.url + DATA + "Historic", json={**body, "sortFields": ["MPID"]}, timeout=5).status_code
            == 400
        )


def test_credentials_give_a_token_that_expires(dataset: Dataset, http: requests.Session) -> None:
    tokens = Tokens("me", "mine", seconds=60)
    with FinraServer(dataset, tokens=tokens, required=True) as server:
        assert post(server, http).status_code == 401
        bad = http.post(server.token_url, auth=("me", "yours"), timeout=5)
        assert (bad.status_code, bad.json()["error"]) == (400, "invalid_client")
        answer = http.post(server.token_url + "?grant_type=client_credentials", auth=("me", "mine"), timeout=5).json()
        http.headers["Authorization"] = f"Bearer {answer['access_token']}"
        assert post(server, http).status_code == 200
        tokens.expire()
        assert post(server, http).status_code == 401


def test_the_log_shows_requests_and_the_most_in_a_second(server: FinraServer) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: requests.get(server.url + PARTITIONS, timeout=5), range(12)))
    assert [seen.status for seen in server.requests] == [200] * 12
    assert server.max_in_window(5.0) == 12
    for number, seen in enumerate(server.requests):
        seen.at = number * 0.25
    assert server.max_in_window(1.0) == 4


def test_connections_are_kept_alive_and_pages_are_quick(server: FinraServer, http: requests.Session) -> None:
    assert server.warm(WHOLE) == 1
    start = time.monotonic()
    for _ in range(50):
        post(server, http)
    assert time.monotonic() - start < 2


def test_a_server_that_has_ended_answers_no_more(dataset: Dataset, http: requests.Session) -> None:
    with FinraServer(dataset) as server:
        assert post(server, http).status_code == 200
    with pytest.raises(requests.exceptions.ConnectionError):
        post(server, http)


def test_it_can_be_started_by_hand_and_ends_at_ctrl_c(http: requests.Session) -> None:
    command = [*IGNORING_SIGINT, sys.executable, "-m", "tests.finra_server", "--weeks", "1", "--from", str(WEEK)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout
            url = started.stdout.readline().strip().removeprefix("OTCPIPE_FINRA_URL=")
            friday = WEEK + timedelta(days=4)
            advice = f"otcpipe backfill --from {friday} --to {friday} --wait"
            assert started.stdout.readline() == f"It serves the weeks ending {friday} to {friday}: {advice}\n"
            listed = http.get(url + PARTITIONS, timeout=5).json()["availablePartitions"]
            started.send_signal(signal.SIGINT)
            assert "1 requests, at most 1 in a second" in started.communicate(timeout=30)[0]
        finally:
            started.kill()
    assert {"partitions": [str(WEEK), "T1"]} in listed


def test_many_clients_at_once_get_the_same_rows(server: FinraServer, http: requests.Session) -> None:
    alone = post(server, http).content
    with ThreadPoolExecutor(8) as pool:
        pages = pool.map(lambda _: requests.post(server.url + DATA, json=WHOLE, timeout=5).content, range(40))
    assert set(pages) == {alone}


# the faults


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(Kind.REFUSE), "ConnectionError"),
        (Fault(Kind.DROP), "ConnectionError"),
        (Fault(Kind.RESET), "ChunkedEncodingError"),
        (Fault(Kind.CUT), "ChunkedEncodingError"),
    ],
)
def test_broken_connections_fail_once_and_then_work(
    server: FinraServer, http: requests.Session, fault: Fault, error: str
) -> None:
    server.faults.add(fault)
    with pytest.raises(getattr(requests.exceptions, error)):
        post(server, http)
    assert post(server, http).status_code == 200
    assert server.refused == (fault.kind is Kind.REFUSE)


def test_a_hang_lasts_as_long_as_it_says(server: FinraServer, http: requests.Session) -> None:
    server.faults.add(Fault(Kind.HANG, seconds=0.4))
    with pytest.raises(requests.exceptions.ReadTimeout):
        http.post(server.url + DATA, json=WHOLE, timeout=0.1)
    server.faults.add(Fault(Kind.HANG, seconds=0.2))
    start = time.monotonic()
    assert post(server, http).status_code == 200
    assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize("retry_after", [None, "3"])
def test_too_many_requests_may_say_when_to_retry(
    server: FinraServer, http: requests.Session, retry_after: str | None
) -> None:
    server.faults.add(Fault(Kind.TOO_MANY, retry_after=retry_after))
    answer = post(server, http)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, retry_after)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_are_html(server: FinraServer, http: requests.Session, status: int) -> None:
    server.faults.add(Fault(Kind.STATUS, status=status))
    answer = post(server, http)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")


def test_a_200_can_be_html_or_an_object_and_a_204_a_lie(server: FinraServer, http: requests.Session) -> None:
    server.faults.add(Fault(Kind.HTML), Fault(Kind.OBJECT), Fault(Kind.EMPTY))
    page, said, none = (post(server, http) for _ in range(3))
    assert (page.status_code, page.text[:9]) == (200, "<!DOCTYPE")
    assert (said.status_code, type(said.json())) == (200, dict)
    assert (none.status_code, none.headers["Record-Total"]) == (204, "0")


def test_a_short_page_is_honest(server: FinraServer, http: requests.Session) -> None:
    right = post(server, http)
    server.faults.add(Fault(Kind.SHORT_PAGE))
    short = post(server, http)
    assert lines_of(short) == lines_of(right)[: total_of(right) // 2]
    assert total_of(short) == total_of(right)


def test_a_repeated_page_has_the_rows_of_the_page_before(server: FinraServer, http: requests.Session) -> None:
    server.faults.add(Fault(Kind.REPEATED_PAGE))
    first, second, again = (post(server, http, limit=100, offset=at) for at in (0, 100, 100))
    assert lines_of(second) == lines_of(first) != lines_of(again)
    assert second.headers["Record-Offset"] == "100"


def test_the_total_can_be_missing(server: FinraServer, http: requests.Session) -> None:
    server.faults.add(Fault(Kind.NO_TOTAL))
    assert "Record-Total" not in post(server, http).headers
    assert "Record-Total" in post(server, http).headers


@pytest.mark.parametrize(("kind", "more"), [(Kind.GROWN, 2), (Kind.RESTATED, 0), (Kind.WITHDRAWN, -1)])
def test_the_partition_can_change_after_so_many_pages(
    changing: FinraServer, http: requests.Session, kind: Kind, more: int
) -> None:
    changing.faults.add(Fault(kind, at=3))
    old = changing.dataset.partition(T1).lines
    totals = [total_of(post(changing, http, limit=100, offset=at)) for at in (0, 100, 200)]
    assert totals == [len(old), len(old), len(old) + more]
    assert changing.dataset.partition(T1).lines != old
    assert_reconciled(changing.dataset.rows(T1))


def test_text_can_begin_with_a_bom_and_end_its_lines_with_crlf(server: FinraServer, http: requests.Session) -> None:
    right = post(server, http).content
    server.faults.add(Fault(Kind.BOM), Fault(Kind.CRLF))
    assert post(server, http).content == b"\xef\xbb\xbf" + right
    assert post(server, http).content == right.replace(b"\n", b"\r\n")


def test_columns_can_be_added_and_removed(server: FinraServer, http: requests.Session) -> None:
    server.faults.add(Fault(Kind.ADDED_COLUMN), Fault(Kind.MISSING_COLUMN, column="MPID"))
    added, missing = (post(server, http).text.split("\n") for _ in range(2))
    assert set(added[0].split("|")) - set(FIELDS) == {"newColumn"}
    assert {line.count("|") for line in added[:-1]} == {17}
    assert missing[0].split("|") == [name for name in FIELDS if name != "MPID"]
    server.faults.add(Fault(Kind.ADDED_COLUMN))
    assert post(server, http, "application/json").json()[0]["newColumn"] == "added"


def test_a_row_of_another_partition_can_slip_in(server: FinraServer, http: requests.Session) -> None:
    server.faults.add(Fault(Kind.FOREIGN_ROW))
    weeks = [value_of(to_row(line), "weekStartDate") for line in lines_of(post(server, http))]
    assert weeks[:-1] == [str(WEEK)] * (len(weeks) - 1)
    assert weeks[-1] == str(BEFORE)


def test_the_first_page_can_be_from_before_the_restatement(changing: FinraServer, http: requests.Session) -> None:
    old = post(changing, http)
    changing.dataset.restate(T1)
    new = post(changing, http)
    changing.faults.add(Fault(Kind.STALE_FIRST_PAGE))
    assert post(changing, http, limit=100, offset=100).content not in (old.content, new.content)
    assert post(changing, http).content == old.content != new.content
    assert post(changing, http).content == new.content


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("in_gzip", [False, True])
def test_a_body_can_be_truncated_at_any_byte(
    server: FinraServer, http: requests.Session, framing: Framing, in_gzip: bool
) -> None:
    right = post(server, http)
    server.faults.add(Fault(Kind.TRUNCATED, keep=-3, framing=framing, in_gzip=in_gzip))
    shows = framing is Framing.BROKEN_CHUNKS or (in_gzip and framing is Framing.FULL_LENGTH)
    if shows:
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            post(server, http)
    elif in_gzip:  # which requests does not notice
        assert right.content.startswith(post(server, http).content)
    else:
        assert post(server, http).content == right.content[:-3]
    assert post(server, http).content == right.content


def test_an_answer_can_drip(server: FinraServer, http: requests.Session) -> None:
    server.faults.add(Fault(Kind.DRIP, on="/partitions/", keep=200, seconds=0.001))
    listed = http.get(server.url + PARTITIONS, timeout=5)
    assert listed.json()["availablePartitions"]


def test_a_refusal_can_be_finras_own_or_a_page_of_html(server: FinraServer, http: requests.Session) -> None:
    server.faults.add(Fault(Kind.ERROR, status=403), Fault(Kind.STATUS, status=403, retry_after="7"))
    own, block = post(server, http), post(server, http)
    assert (own.status_code, own.json()["statusDescription"]) == (403, "Forbidden")
    assert (block.status_code, block.text[:9], block.headers["Retry-After"]) == (403, "<!DOCTYPE", "7")


def test_answers_can_be_out_of_proportion(server: FinraServer, http: requests.Session) -> None:
    server.faults.add(Fault(Kind.WRONG_TOTAL), Fault(Kind.BOMB, size=100_000), Fault(Kind.WIDE_HEADER, size=50_000))
    assert total_of(post(server, http)) == 10_000_000_000_000
    bomb = post(server, http)
    assert (len(bomb.content), int(bomb.headers["Content-Length"]) < 1000) == (100_000, True)
    assert len(post(server, http).headers["X-Wide"]) == 50_000
    server.faults.add(Fault(Kind.ODD_NUMBER, number="1e300"))
    assert post(server, http, "application/json").json()[0]["totalNotionalSum"] == 1e300


def test_names_may_hold_what_delimits_text(changing: FinraServer, http: requests.Session) -> None:
    rows = changing.dataset.rows(T1)
    changing.dataset.replace(T1, [with_values(rows[0], issueName="A|B\nC\rD\0"), *rows[1:]])
    assert changing.dataset.rows(T1)[0] == with_values(rows[0], issueName="A|B\nC\rD\0")
    names = [row["issueName"] for row in post(changing, http, "application/json").json()]
    assert "A|B\nC\rD\0" in names
    assert b"|A|B\nC\rD\0|" in post(changing, http).content


def test_a_fault_can_strike_other_paths(server: FinraServer, http: requests.Session) -> None:
    server.faults.add(Fault(Kind.STATUS, on="/partitions/"))
    assert post(server, http).status_code == 200
    assert http.get(server.url + PARTITIONS, timeout=5).status_code == 503


def test_probable_faults_follow_the_seed(dataset: Dataset, http: requests.Session) -> None:
    def statuses() -> list[int]:
        with FinraServer(dataset, [Fault(Kind.STATUS, probability=0.3, times=ALWAYS)]) as server:
            return [post(server, http).status_code for _ in range(40)]

    once = statuses()
    assert once == statuses()
    assert 4 < once.count(503) < 20


def test_chaos_repeats_itself_and_ends(dataset: Dataset) -> None:
    assert chaos(7)._planned == chaos(7)._planned != chaos(8)._planned
    assert Kind.MISSING_COLUMN not in {fault.kind for fault in chaos(7, 500, without=(Kind.MISSING_COLUMN,))._planned}


def test_rows_can_be_replaced_emptied_and_removed_while_it_runs(
    changing: FinraServer, http: requests.Session
) -> None:
    rows = changing.dataset.rows(T1)
    changing.dataset.replace(T1, [with_values(rows[0], issueName="A, B & C")])
    assert post(changing, http, "application/json").json()[0]["issueName"] == "A, B & C"
    changing.dataset.empty(T1)
    assert post(changing, http).status_code == 204
    assert changing.dataset.keys() == [T1]
    changing.dataset.remove(T1)
    assert changing.dataset.keys() == []
