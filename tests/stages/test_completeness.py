"""A capture holds every row completely, whatever was truncated, repeated or oddly named."""

import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otcpipe.datasets import WEEKLY
from otcpipe.errors import Defective
from otcpipe.records import CompletePartition, Page
from otcpipe.stages import completeness, normalize, paging, parse
from otcpipe.text import escapes
from otcpipe.text.tables import decode_dictionaries
from tests.finra_server import ALWAYS, Dataset, Fault, FinraServer, Framing, Kind, generate
from tests.finra_server.rows import Row, with_values
from tests.support.finra_client import KEY, T1, client, held, read, rows_of

PAGE = 6
LINES = generate(T1.week_start, "T1", 2, seed=5)[:16]
REQUESTS = 6  # four pages, the first again, and the last row
LONGEST = 1 + max(map(len, LINES))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PAGE_ROWS", PAGE)


@pytest.fixture
def server() -> Iterator[FinraServer]:
    with FinraServer(Dataset({KEY: LINES})) as running:
        yield running


def texts(found: CompletePartition | None) -> list[tuple[str, ...]]:
    """What was captured, in FINRA's columns, as a reader of the raw bytes gets it."""
    assert found
    table = decode_dictionaries(parse.rows(found.content))
    return sorted(zip(*(table[name].fill_null("").to_pylist() for name in WEEKLY.api_fields), strict=True))


def expected(server: FinraServer) -> list[Any]:
    return sorted(tuple(value or "" for value in row) for row in server.dataset.rows(KEY))


CUT = st.builds(
    Fault,
    st.just(Kind.TRUNCATED),
    at=st.integers(1, REQUESTS),
    keep=st.one_of(st.integers(-LONGEST, -1), st.integers(0, PAGE * LONGEST)),
    framing=st.sampled_from(Framing),
    in_gzip=st.booleans(),
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CUT)
def test_a_page_cut_at_any_byte_under_any_framing_leaves_no_trace(server: FinraServer, fault: Fault) -> None:
    server.faults.clear()
    server.faults.add(fault)
    assert rows_of(read(server)) == held(server)


@pytest.mark.slow
@pytest.mark.parametrize("framing", [Framing.CLOSE, Framing.LENGTH])
@pytest.mark.parametrize("at", range(1, REQUESTS + 1))
def test_a_page_cut_at_each_byte_of_its_last_row_leaves_no_trace(
    server: FinraServer, framing: Framing, at: int
) -> None:
    for keep in range(-LONGEST, 0):
        server.faults.clear()
        server.faults.add(Fault(Kind.TRUNCATED, at=at, keep=keep, framing=framing))
        assert rows_of(read(server)) == held(server), keep


@pytest.mark.parametrize("count", [1, 3, 16])
@pytest.mark.parametrize("keep", [-1, -2, -6, -20, -60])
def test_bodies_that_are_always_truncated_are_never_a_wrong_capture(count: int, keep: int) -> None:
    fault = Fault(Kind.TRUNCATED, keep=keep, times=ALWAYS)
    with FinraServer(Dataset({KEY: LINES[:count]}), [fault]) as server:
        with pytest.raises(Defective):
            read(server)
        server.faults.clear()
        assert rows_of(read(server)) == held(server)


def test_the_last_row_is_not_believed_when_only_text_is_cut() -> None:
    """ATS_W_SMBL_FIRM without its last five letters is a row too, with another meaning."""
    line = next(line for line in generate(T1.week_start, "T1", 2) if line.endswith("ATS_W_SMBL_FIRM"))
    with FinraServer(Dataset({KEY: [line]})) as server:
        server.faults.add(Fault(Kind.TRUNCATED, keep=-len("_FIRM\n"), times=1))
        assert rows_of(read(server)) == [line]
        assert any(seen.fault for seen in server.requests)


def repeated(line: str, **values: str) -> list[str]:
    return [
        *LINES,
        "|".join(values.get(name, text) for name, text in zip(WEEKLY.api_fields, line.split("|"), strict=True)),
    ]


@pytest.mark.parametrize("at", range(0, len(LINES), 3))
@pytest.mark.parametrize("shares", [None, "12345"])
def test_a_row_that_finra_really_publishes_twice_is_captured_twice(at: int, shares: str | None) -> None:
    values = {"totalWeeklyShareQuantity": shares} if shares else {}
    with FinraServer(Dataset({KEY: repeated(LINES[at], **values)})) as server:
        for _ in range(10):  # the two come in any order: where they part two pages, an attempt may fail
            try:
                found = read(server)
            except Defective:
                continue
            break
        assert rows_of(found) == held(server)
        assert found
        rows = normalize.rows(parse.rows(found.content), T1)
        (reject,) = rows.rejects.to_pylist()
        assert "on an earlier line" in reject["reason"]


def test_a_row_that_was_repeated_in_one_read_only_is_not_captured_twice(
    server: FinraServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "PAGE_ROWS", 100)
    server.dataset.put(KEY, [*LINES[:-1], LINES[0]])
    page, count = client(server).page, itertools.count(1)

    def read_page(offset: int, limit: int, /, *, is_json: bool | None = None) -> Page:
        if next(count) == 4:  # an attempt takes three requests
            server.dataset.put(KEY, LINES)
        return page(T1, offset, limit, is_json=is_json)

    assert rows_of(paging.read_partition(T1, read_page)) == sorted(LINES)


ODD = [
    "A|B",
    "|",
    "||||",
    "A\nB",
    "A\r\nB",
    "A\rB",
    "\n",
    "trailing\n",
    "back\\slash|",
    "\\u007c|\\u005c",
    "tab\tand\x01 bell\x07 \x1f\x7f\x85\u2028",
    'quote"s "" and, commas',
    "NA",
]


@pytest.mark.parametrize("finra_format", ["text", "json"])
@pytest.mark.parametrize("name", ODD, ids=repr)
def test_every_row_and_the_exact_name_are_captured(server: FinraServer, name: str, finra_format: str) -> None:
    def renamed(row: Row) -> Row:
        return with_values(row, issueName=name, marketParticipantName=name) if row[1] == symbol else row

    symbol = server.dataset.rows(KEY)[7][1]
    server.dataset.change(KEY, renamed)
    found = read(server, FINRA_FORMAT=finra_format)
    assert found
    assert found.total == len(LINES)
    assert texts(found) == expected(server)
    assert found.content.startswith(escapes.MARK) == any(odd in name for odd in "|\n\r")
    assert normalize.rows(parse.rows(found.content), T1).rejects.num_rows == 0


@pytest.mark.parametrize("name", ["Half \ud83d Inc", "\udc00", "\udfff\ud800|"], ids=ascii)
def test_an_unpaired_surrogate_is_captured_exactly_and_its_row_is_set_aside(server: FinraServer, name: str) -> None:
    symbol = server.dataset.rows(KEY)[7][1]
    server.dataset.change(KEY, lambda row: with_values(row, issueName=name) if row[1] == symbol else row)
    found = read(server, FINRA_FORMAT="json")
    assert found
    assert found.total == len(LINES)
    assert escapes.escape(name).encode() in found.content
    rejects = normalize.rows(parse.rows(found.content), T1).rejects
    assert set(rejects["reason"].to_pylist()) == {"an unpaired surrogate inside a value"}
    assert rejects["symbol"].unique().to_pylist() == [symbol]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(LINES) - 1),
            st.sampled_from(["issueName", "marketParticipantName", "issueSymbolIdentifier", "productTypeCode"]),
            st.text(st.one_of(st.sampled_from("|\n\r\\"), st.characters(codec="utf-8")), max_size=12),
        ),
        max_size=4,
    )
)
def test_odd_values_anywhere_are_captured_exactly(server: FinraServer, changes: list[tuple[int, str, str]]) -> None:
    rows = [*Dataset({KEY: LINES}).rows(KEY)]
    for at, column, value in changes:
        if "\0" not in value:
            rows[at] = with_values(rows[at], **{column: value or None})
    server.dataset.replace(KEY, rows)
    assert texts(read(server)) == expected(server)


def test_a_nul_in_a_name_costs_only_its_own_row(server: FinraServer) -> None:
    chosen = server.dataset.rows(KEY)[3]
    server.dataset.change(KEY, lambda row: with_values(row, issueName="A\0B") if row == chosen else row)
    found = read(server)
    assert found
    rows = normalize.rows(parse.rows(found.content), T1)
    assert [row["reason"] for row in rows.rejects.to_pylist()] == ["a NUL character inside a value"]
    assert rows.kept.num_rows == len(LINES) - 1


NUMBERS = {
    "9.763E9": "9763000000",
    "9.763054589653116E9": "9763054589.653116",
    "1.0E-5": "0.000010",
    "1E7": "10000000",
    "1e+2": "100",
    "100.00000000": "100.00000000",
    "12.0": "12.0",
    "0": "0",
    "-0.0": "0.0",
    "0E0": "0",
    "123456789012345678.123456": "123456789012345678.123456",
    "1.234567E-2": "0.01234567",
}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_json_number_is_written_out_exactly(server: FinraServer, number: str) -> None:
    found = captured_notional(server, number)
    assert found == NUMBERS[number]
    assert Decimal(found) == Decimal(number)


@pytest.mark.parametrize("number", ["1e300000000", "-1E-300000000", "1e" + "9" * 5000, "9" * 5000, "NaN", "Infinity"])
def test_a_number_that_no_quantity_has_costs_one_row_and_nothing_else(server: FinraServer, number: str) -> None:
    assert captured_notional(server, number) == number
    found = read(server, FINRA_FORMAT="json")
    assert found
    assert normalize.rows(parse.rows(found.content), T1).rejects.num_rows == 1


def captured_notional(server: FinraServer, number: str) -> str:
    """The notional as captured of a row whose JSON has it so."""
    server.dataset.put(KEY, LINES[:1])
    server.faults.add(Fault(Kind.ODD_NUMBER, number=number, times=ALWAYS))
    found = read(server, FINRA_FORMAT="json")
    assert found
    (text,) = parse.rows(found.content)["totalNotionalSum"].to_pylist()
    return str(text)


@pytest.mark.parametrize(
    ("text", "value", "is_same"),
    [
        (b"12.000000", b"12", True),
        (b"0.00010000", b"0.0001", True),
        (b"True", b"true", True),
        (b"2025-11-14", b"2025-11-14T00:00:00", True),
        (b"Inc", b"Inc.", False),
        (b"12.5", b"125", False),
        (b"", b"0", False),
        (b"NaN", b"nan", True),
        (b"x", None, False),
    ],
)
def test_the_last_value_may_be_spelled_in_two_ways(text: bytes, value: bytes | None, is_same: bool) -> None:
    assert completeness.is_same_value(text, value) == is_same
