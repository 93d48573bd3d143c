"""What `normalize` makes of each value: kept exactly, or the row set aside with its reason."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otcpipe.records import Partition
from tests.lines import FIELDS, OTCE, normalized, numbers, rejects
from tests.pipeline import WEEK, api_text, file_text

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
    ("firmCRDNumber", "1234567890", "firmCRDNumber does not read as int32"),
    ("firmCRDNumber", "1.0", "firmCRDNumber does not read as int32"),
    ("initialPublishedDate", "", "initialPublishedDate is missing"),
    ("initialPublishedDate", "2025-02-30", "initialPublishedDate is not a day"),
    ("lastUpdateDate", "", "lastUpdateDate is missing"),
    ("lastUpdateDate", "2025-02-29", "lastUpdateDate is not a day"),
    ("lastUpdateDate", "2025-13-01", "lastUpdateDate does not read as date32[day]"),
    ("lastUpdateDate", "20251215", "lastUpdateDate does not read as date32[day]"),
    ("lastUpdateDate", "2025-12-15T00:00:00", "lastUpdateDate does not read as date32[day]"),
    ("totalWeeklyTradeCount", "", "totalWeeklyTradeCount is missing"),
    ("totalWeeklyTradeCount", "1.5", "totalWeeklyTradeCount does not read as int64"),
    ("totalWeeklyTradeCount", "-1", "totalWeeklyTradeCount does not read as int64"),
    ("totalWeeklyTradeCount", "9" * 19, "totalWeeklyTradeCount does not read as int64"),
    ("totalWeeklyShareQuantity", "", "totalWeeklyShareQuantity is missing"),
    ("totalNotionalSum", "1.2345678", "totalNotionalSum does not read as decimal128(24, 6)"),
    ("totalNotionalSum", "9" * 19, "totalNotionalSum does not read as decimal128(24, 6)"),
    ("MPID", "", "MPID is missing"),
]
NO_QUANTITY = ["0.1234567", "1.0000000", "9" * 15, "-1", "+1", "1e3", "9.763E9", "nan", "NaN", "inf", "1,000", "1."]
NO_QUANTITY += [".5", " 1", "1 ", "0x10", "1_000", "\u0661", "1\u2028", "null", "--"]


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
    assert normalized(file_text([(text, "AAAA", 1, 1) for text in symbols])).records["symbol"].to_pylist() == kept


def test_a_ticker_named_na_is_not_a_null_and_a_null_symbol_is_kept() -> None:
    symbols = normalized(file_text([("NA", "AAAA", 1, 1), ("", "AAAA", 1, 1)])).records["symbol"].to_pylist()
    assert symbols == ["NA", None]


@settings(deadline=None, max_examples=40)
@given(st.decimals(0, 10**14 - 1, places=6), st.decimals(0, 10**17, places=6), st.integers(0, 10**18 - 1))
@example(Decimal("99999999999999.999999"), Decimal("999999999999999999.999999"), 10**18 - 1)
@example(LEAST, LEAST, 0)
def test_quantities_are_kept_exactly(shares: Decimal, notional: Decimal, trades: int) -> None:
    quantities = {"totalWeeklyShareQuantity": f"{shares:f}", "totalNotionalSum": f"{notional:f}"}
    [row] = normalized(api_text([quantities | {"totalWeeklyTradeCount": trades}], OTCE)).records.to_pylist()
    assert (row["share_volume"], row["notional"], row["trade_count"]) == (shares, notional, trades)


@pytest.mark.parametrize("text", NO_QUANTITY)
def test_what_is_no_exact_quantity_is_rejected_and_its_neighbours_are_not(text: str) -> None:
    reason = "totalWeeklyShareQuantity does not read as decimal128(20, 6)"
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
