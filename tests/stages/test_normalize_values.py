"""How `normalize` treats each value: kept exactly, or the row is rejected with its reason."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otcpipe.records import Partition
from tests.support.lines import FIELDS, OTCE, normalized, numbers, rejects
from tests.support.pipeline import WEEK, api_text, file_text

CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
LEAST = Decimal("0.000001")
WRONG = [  # field, text, reason
    ("weekStartDate", "2025-11-17", "of another week"),
    ("weekStartDate", "2025-11-14", "of another week"),
    ("weekStartDate", "", "of another week"),
    ("tierIdentifier", "T1", "of another tier"),
    ("tierIdentifier", "NMS", "of another tier"),
    ("tierIdentifier", "", "of another tier"),
    ("summaryTypeCode", "OTC_M_SMBL_FIRM", "summaryTypeCode is unknown"),
    ("summaryTypeCode", "ats_w_smbl", "summaryTypeCode is unknown"),
    ("summaryTypeCode", "", "summaryTypeCode is unknown"),
    ("firmCRDNumber", "1234567890", "firmCRDNumber is not a whole number of at most 9 digits"),
    ("firmCRDNumber", "1.5", "firmCRDNumber is not a whole number of at most 9 digits"),
    ("initialPublishedDate", "", "initialPublishedDate is missing"),
    ("initialPublishedDate", "2025-02-30", "initialPublishedDate is not a date such as 2025-12-15"),
    ("lastUpdateDate", "", "lastUpdateDate is missing"),
    ("lastUpdateDate", "2025-02-29", "lastUpdateDate is not a date such as 2025-12-15"),
    ("lastUpdateDate", "2025-13-01", "lastUpdateDate is not a date such as 2025-12-15"),
    ("lastUpdateDate", "20251215", "lastUpdateDate is not a date such as 2025-12-15"),
    ("lastUpdateDate", "2025-12-15T00:00:01", "lastUpdateDate is not a date such as 2025-12-15"),
    ("totalWeeklyTradeCount", "", "totalWeeklyTradeCount is missing"),
    ("totalWeeklyTradeCount", "1.5", "totalWeeklyTradeCount is not a whole number of at most 12 digits"),
    ("totalWeeklyTradeCount", "-1", "totalWeeklyTradeCount is not a whole number of at most 12 digits"),
    ("totalWeeklyTradeCount", "9" * 13, "totalWeeklyTradeCount is not a whole number of at most 12 digits"),
    ("totalWeeklyShareQuantity", "", "totalWeeklyShareQuantity is missing"),
    ("totalNotionalSum", "1.2345678", "totalNotionalSum is not a number of at most 18 digits and 6 decimals"),
    ("totalNotionalSum", "9" * 19, "totalNotionalSum is not a number of at most 18 digits and 6 decimals"),
    ("issueSymbolIdentifier", "A" * 101, "issueSymbolIdentifier is longer than 100 characters"),
    ("issueName", "x" * 9000, "issueName is longer than 500 characters"),
    ("marketParticipantName", "\u00c4" * 501, "marketParticipantName is longer than 500 characters"),
    ("MPID", "A" * 33, "MPID is longer than 32 characters"),
    ("productTypeCode", "U" * 33, "productTypeCode is longer than 32 characters"),
]
NO_QUANTITY = [
    "0.1234567",
    "9" * 15,
    "-1",
    "1e-7",
    "1.5e-6",
    "1e14",
    "1e300",
    "1e300000000",
    "nan",
    "NaN",
    "inf",
    "1,000",
]
NO_QUANTITY += ["1" * 5000, "1e", "e3", ".", "+", " 1", "1 ", "0x10", "1_000", "\u0661", "1\u2028", "null", "--"]


@settings(deadline=None, max_examples=40)
@given(st.lists(FIELDS, min_size=1, max_size=8, unique=True))
@example(["NA", "NAN", "NAT", "ON", "", "null", "NULL", "None", "TRUE", "007", "1E5"])
@example(["BRK.B", "brk.b", "KKR$D", "TY$", "Ko", "KO", "ko"])
@example(["Abc, Inc.", '"Quoted"', '"', "50% A&B's", "\\N", " a  b ", "ÄÖ™", "\u2028"])
def test_symbols_and_names_are_kept_as_they_are(symbols: list[str]) -> None:
    kept = [symbol or None for symbol in symbols]
    named = [{"issueSymbolIdentifier": text, "issueName": text, "marketParticipantName": text} for text in symbols]
    records = normalized(api_text(named, OTCE)).records
    assert [records[name].to_pylist() for name in ("symbol", "issue_name", "venue_name")] == [kept] * 3
    in_file = normalized(file_text([(text, "AAAA", 1, 1) for text in symbols])).records["symbol"].to_pylist()
    assert in_file == [symbol or None for symbol in symbols if not CONTROLS.search(symbol)]


def test_a_ticker_named_na_is_not_a_null_and_a_null_symbol_is_kept() -> None:
    symbols = normalized(file_text([("NA", "AAAA", 1, 1), ("", "AAAA", 1, 1)])).records["symbol"].to_pylist()
    assert symbols == ["NA", None]


@settings(deadline=None, max_examples=40)
@given(st.decimals(0, 10**14 - 1, places=6), st.decimals(0, 10**17, places=6), st.integers(0, 10**12 - 1))
@example(Decimal("99999999999999.999999"), Decimal("999999999999999999.999999"), 10**12 - 1)
@example(LEAST, LEAST, 0)
def test_quantities_are_kept_exactly(shares: Decimal, notional: Decimal, trades: int) -> None:
    quantities = {"totalWeeklyShareQuantity": f"{shares:f}", "totalNotionalSum": f"{notional:f}"}
    [row] = normalized(api_text([quantities | {"totalWeeklyTradeCount": trades}], OTCE)).records.to_pylist()
    assert (row["share_volume"], row["notional"], row["trade_count"]) == (shares, notional, trades)


SPELLINGS = [
    lambda value: f"{value:E}",
    lambda value: f"{value:e}",
    lambda value: f"+{value:f}",
    lambda value: f"{value:f}" + ("00000000" if "." in f"{value:f}" else ".00000000"),
    lambda value: f"000{value:f}",
    lambda value: f"{value.scaleb(-9):f}E9",
    lambda value: f"{value.scaleb(7):f}E-07",
]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.decimals(0, 10**14 - 1, places=6), st.sampled_from(SPELLINGS)), min_size=1, max_size=6))
@example([(Decimal("9763054589.653116"), SPELLINGS[0]), (Decimal(100), SPELLINGS[3])])
@example([(Decimal("99999999999999.999999"), spelling) for spelling in SPELLINGS])
def test_a_quantity_is_the_same_however_it_is_spelled(
    quantities: list[tuple[Decimal, Callable[[Decimal], str]]],
) -> None:
    rows = [(f"S{at}", "AAAA", spell(value), 1) for at, (value, spell) in enumerate(quantities)]
    assert normalized(file_text(rows)).records["share_volume"].to_pylist() == [value for value, _ in quantities]


@pytest.mark.parametrize(
    ("text", "count"),
    [("12.0", 12), ("1e3", 1000), ("1.20E+02", 120), ("007", 7), ("+5", 5), ("-0", 0), ("0E-20", 0)],
)
def test_a_count_is_the_same_however_it_is_spelled(text: str, count: int) -> None:
    rows = [{"totalWeeklyTradeCount": text, "firmCRDNumber": text}, {"MPID": "BBBB"}]
    records = normalized(api_text(rows, OTCE)).records
    assert records["trade_count"].to_pylist() == [count, 10]
    assert records["firm_crd"].to_pylist() == [count, None]


@pytest.mark.parametrize("time", [" 00:00:00.000", "T00:00:00", "T00:00", " 00:00:00", "T00:00:00.000000Z"])
def test_a_date_may_have_a_time_of_midnight(time: str) -> None:
    dates = dict.fromkeys(("lastUpdateDate", "initialPublishedDate"), f"2025-12-15{time}")
    [row] = normalized(api_text([dates | {"weekStartDate": f"{OTCE.week_start}{time}"}], OTCE)).records.to_pylist()
    assert (row["updated_on"], row["published_on"]) == (date(2025, 12, 15), date(2025, 12, 15))


@pytest.mark.parametrize("control", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\u2028"])
def test_a_control_character_in_a_file_costs_its_own_line_only(control: str) -> None:
    content = file_text([("A", "AAAA", 1, 1), ("B", "AAAA", 1, 1), ("C", "AAAA", 1, 1)])
    rows = normalized(content.replace(b"B Inc", f"B{control}Inc".encode()))
    assert (numbers(rows.records), numbers(rows.rejects)) == ([2, 4], [3])
    assert rows.rejects["symbol"].to_pylist() == ["B"]


@pytest.mark.parametrize("control", ["\x07", "\x1b", "\x85", "\u2028", "\u202e"])
def test_a_control_character_from_the_api_is_part_of_the_name(control: str) -> None:
    [row] = normalized(api_text([{"issueName": f"A{control}B"}], OTCE)).records.to_pylist()
    assert row["issue_name"] == f"A{control}B"


@pytest.mark.parametrize("text", NO_QUANTITY)
def test_what_is_no_exact_quantity_is_rejected_and_its_neighbours_are_not(text: str) -> None:
    reason = "totalWeeklyShareQuantity is not a number of at most 14 digits and 6 decimals"
    rows = normalized(file_text([("A", "AAAA", "0.123456", 1), ("B", "AAAA", text, 1), ("C", "AAAA", 5, 1)]))
    assert rejects(rows) == [(3, reason)]
    assert rows.records["share_volume"].to_pylist() == [Decimal("0.123456"), Decimal(5)]


@pytest.mark.parametrize(("name", "text", "reason"), WRONG)
def test_a_wrong_value_is_rejected_with_its_reason(name: str, text: str, reason: str) -> None:
    rows = normalized(api_text([{"issueSymbolIdentifier": "FINE"}, {name: text}], OTCE))
    assert rejects(rows) == [(3, reason)]
    assert numbers(rows.records) == [2]


@pytest.mark.parametrize("day", ["0000-01-01", "0000-12-31"])
def test_a_day_that_no_calendar_has_is_rejected(day: str) -> None:
    [(line, reason)] = rejects(normalized(file_text([("A", "AAAA", 1, 1)], updated_on=day)))
    assert (line, reason.split()[0]) == (2, "lastUpdateDate")


@settings(deadline=None, max_examples=40)
@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.integers(0, 99), st.integers(0, 99))
@example(date(2024, 2, 29), 2, 30)
def test_a_day_is_kept_or_rejected_as_the_calendar_says(day: date, month: int, number: int) -> None:
    text = f"{day.year}-{month:02}-{number:02}"
    rows = normalized(file_text([("A", "AAAA", 1, 1)], updated_on=day))
    assert rows.records["updated_on"].to_pylist() == [day]
    try:
        expected = [date.fromisoformat(text)]
    except ValueError:
        expected = []
    assert normalized(file_text([("A", "AAAA", 1, 1)], updated_on=text)).records["updated_on"].to_pylist() == expected


def test_rows_of_another_week_are_rejected_for_all_weeks_but_one() -> None:
    content = api_text([{}], OTCE)
    weeks = [Partition(WEEK + timedelta(days=7 * number), "OTCE") for number in (-1, 0, 1)]
    assert [normalized(content, week).records.num_rows for week in weeks] == [0, 1, 0]
