import gzip
import hashlib
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otcpipe.datasets import TIERS, WEEKLY
from otcpipe.quality import reconciliation
from otcpipe.records import Partition
from otcpipe.stages import normalize, parse, versions
from otcpipe.text import rows as rowset
from otcpipe.text.tables import RECORD, REJECT
from tests.support.lines import OTCE, files, joined, lines_below_header, normalized, numbers, rejects
from tests.support.pipeline import WEEK, api_text, file_text

DATA = Path(__file__).parents[1] / "data"
REAL = "finra_otc_weekly_otc_20251215.csv.gz"
FIRM = {"summaryTypeCode": "OTC_W_SMBL_FIRM", "MPID": "", "firmCRDNumber": 7, "marketParticipantName": "Firm LLC"}
SUMMARY_TYPES = [f"{feed}_W_{cut}" for feed in ("ATS", "OTC") for cut in ("SMBL_FIRM", "SMBL", "FIRM", "VOL_STATS")]
DOUBTFUL: list[dict[str, object]] = [
    {"issueSymbolIdentifier": "", "totalWeeklyShareQuantity": "99999999999999.999999"},
    {"issueSymbolIdentifier": "NA", "totalNotionalSum": "", "issueName": 'Ä, "B"'},
    {"totalWeeklyShareQuantity": "1.0000001"},
    {"totalWeeklyTradeCount": "1e3"},
    {"lastUpdateDate": "2025-02-30"},
    {"initialPublishedDate": ""},
    {"weekStartDate": "2025-11-17", "tierIdentifier": "T1"},
    {"tierIdentifier": "T1"},
    {"summaryTypeCode": "OTC_M_SMBL"},
    {"MPID": ""},
    FIRM | {"firmCRDNumber": "", "marketParticipantName": ""},
]
OUTPUT = {  # version: SHA-256 of the golden inputs' rows. Another output needs another VERSION and a line here.
    1: "e7d3ff89e48e84fe86624474221c3732f73f4155e4d68eab51754804b33b8c5d",
    2: "3e8b27e8c6e540fed1b162797805c48489ce7fbce5f2d652aa738428c4bdb855",
}


def kinds(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["summary_type"].to_pylist(), table["venue_type"].to_pylist(), strict=True))


def test_a_real_file_has_5328_records_and_nothing_else() -> None:
    rows = normalized(gzip.decompress((DATA / REAL).read_bytes()))
    assert (rows.records.num_rows, rows.totals.num_rows, rows.rejects.num_rows) == (5328, 0, 0)
    assert set(rows.records["updated_on"].to_pylist()) == {date(2025, 12, 15)}
    assert rows.records["share_volume"].to_pylist()[0] == Decimal(6753871)


def test_real_rows_of_the_api_are_a_total_and_a_record() -> None:
    found: list[dict[str, Any]] = json.loads((DATA / "real_raw_rows_full_fields.json").read_text())
    as_text = [joined("" if row[name] is None else str(row[name]) for name in WEEKLY.api_fields) for row in found]
    content = b"\n".join([joined(WEEKLY.api_fields), *as_text])
    t1 = Partition(date(2023, 11, 10), "T1")
    assert rejects(normalized(content, t1)) == [(2, "of another tier"), (3, "of another tier")]
    rows = normalized(content.replace(b"|NMS|", b"|T1|"), t1)
    assert rows.rejects.num_rows == 0
    assert [row["share_volume"] for row in rows.totals.to_pylist()] == [Decimal(6489206414)]
    assert rows.records.to_pylist() == [
        {
            "line": 3,
            "summary_type": "ATS_W_SMBL_FIRM",
            "venue_type": "ATS",
            "symbol": "BRKR",
            "issue_name": "Bruker Corporation Common Stock",
            "product_type": None,
            "mpid": "JPBX",
            "firm_crd": None,
            "venue_name": "JPBX JPB-X",
            "share_volume": Decimal(21779),
            "trade_count": 241,
            "notional": Decimal(1257506),
            "published_on": date(2023, 11, 27),
            "updated_on": date(2023, 11, 27),
        }
    ]


def test_output_changes_only_with_the_version() -> None:
    answer = api_text([*({"summaryTypeCode": name} for name in SUMMARY_TYPES), FIRM, *DOUBTFUL, {}], OTCE)
    download = file_text([("NA", "AAAA", "1.5", 1), ("", "AAAA", 1, 1), ("A", "", 1, 1), ("NA", "AAAA", 2, 1)])
    outputs = normalized(answer + b"\nx|y\n"), normalized(download)
    tables = [table for rows in outputs for table in (rows.records, rows.totals, rows.rejects)]
    results = [(str(table.schema.types), table.to_pydict()) for table in tables]
    assert hashlib.sha256(repr(results).encode()).hexdigest() == OUTPUT[versions.NORMALIZE]


@settings(deadline=None, max_examples=40)
@given(files(), st.sampled_from(list(TIERS)))
def test_every_line_is_a_record_or_a_total_or_a_reject(content: bytes, tier: str) -> None:
    rows = normalized(content, Partition(WEEK, tier))
    below = lines_below_header(content)
    assert numbers(rows.records, rows.totals, rows.rejects) == list(range(2, len(below) + 2))
    for row in rows.rejects.to_pylist():
        assert row["reason"]
        assert row["text"] == below[row["line"] - 2]


@settings(deadline=None, max_examples=40)
@given(files())
def test_tables_have_the_columns_that_all_others_rely_on(content: bytes) -> None:
    rows = normalized(content)
    assert [rows.records.schema.names, rows.records.schema.types] == [RECORD.names, RECORD.types]
    assert [rows.totals.schema.names, rows.totals.schema.types] == [RECORD.names, RECORD.types]
    assert rows.rejects.schema == REJECT
    needed = [field.name for field in RECORD if not field.nullable]
    assert sum(table[name].null_count for table in (rows.records, rows.totals) for name in needed) == 0


def test_each_summary_type_lands_where_it_belongs() -> None:
    rows = normalized(api_text([{"summaryTypeCode": name} for name in SUMMARY_TYPES], OTCE))
    assert kinds(rows.records) == [("ATS_W_SMBL_FIRM", "ATS"), ("OTC_W_SMBL_FIRM", "NON_ATS")]
    assert kinds(rows.totals) == [
        ("ATS_W_SMBL", "ATS"),
        ("ATS_W_FIRM", "ATS"),
        ("ATS_W_VOL_STATS", "ATS"),
        ("OTC_W_SMBL", "NON_ATS"),
        ("OTC_W_FIRM", "NON_ATS"),
        ("OTC_W_VOL_STATS", "NON_ATS"),
    ]
    assert rejects(rows) == []


def test_a_firm_is_identified_by_its_number_or_its_name() -> None:
    firms = [FIRM, FIRM | {"firmCRDNumber": ""}, FIRM | {"firmCRDNumber": 0, "marketParticipantName": ""}]
    rows = normalized(api_text(firms, OTCE))
    assert rows.records["firm_crd"].to_pylist() == [7, None, 0]
    assert rejects(rows) == []


def test_volume_without_a_known_venue_is_kept() -> None:
    """FINRA publishes rows of an ATS without MPID until it knows which one it was."""
    nobody = {"MPID": "", "marketParticipantName": ""}
    rows = normalized(api_text([{}, nobody, FIRM | nobody | {"firmCRDNumber": ""}], OTCE))
    assert rows.records["mpid"].to_pylist() == ["AAAA", None, None]
    assert kinds(rows.records) == [
        ("ATS_W_SMBL_FIRM", "ATS"),
        ("ATS_W_SMBL_FIRM", "ATS"),
        ("OTC_W_SMBL_FIRM", "NON_ATS"),
    ]
    assert rejects(rows) == []


@pytest.mark.parametrize(
    "other",
    [
        {"issueSymbolIdentifier": "abc"},
        {"issueSymbolIdentifier": ""},
        {"issueName": "Abc Inc."},
        {"productTypeCode": "CTS"},
        {"MPID": "BBBB"},
        {"firmCRDNumber": 1},
        {"marketParticipantName": "AAAA RENAMED"},
        {"summaryTypeCode": "OTC_W_SMBL_FIRM"},
    ],
)
def test_one_part_of_the_identity_distinguishes_rows(other: dict[str, object]) -> None:
    rows = normalized(api_text([{}, other, {"totalWeeklyShareQuantity": 2} | other], OTCE))
    assert numbers(rows.records) == [2, 3]
    assert rejects(rows) == [(4, "the same row, by its identity, stands on an earlier line")]


def test_a_repeat_of_a_reject_is_no_repeat() -> None:
    rows = normalized(file_text([("A", "AAAA", "?", 1), ("A", "AAAA", 1, 1), ("A", "AAAA", 1, 1)]))
    assert numbers(rows.records) == [3]
    assert [line for line, _ in rejects(rows)] == [2, 4]


def test_a_download_of_another_tier_or_of_a_firm_without_mpid_is_rejected_line_by_line() -> None:
    content = file_text([("A", "AAAA", 1, 1), ("B", "", 1, 1)])
    assert rejects(normalized(content, Partition(WEEK, "T1"))) == [(2, "of another tier"), (3, "of another tier")]
    assert rejects(normalized(content)) == [(3, "a firm without MPID: non-ATS rows come from the API only")]


def test_a_download_keeps_a_row_without_mpid_and_name() -> None:
    rows = normalized(file_text([("A", "AAAA", 1, 1), ("A", "", 2, 1)]).replace(b"| VENUE|", b"||"))
    assert rows.records["share_volume"].to_pylist() == [1, 2]
    assert rows.records["mpid"].to_pylist() == ["AAAA", None]


@pytest.mark.parametrize("tier", TIERS)
def test_a_download_may_name_its_tier_by_identifier_or_description(tier: str) -> None:
    content = file_text([("A", "AAAA", 1, 1)], tier)
    for name in (tier, TIERS[tier]):
        named = content.replace(f"{TIERS[tier]}|A|".encode(), f"{name}|A|".encode())
        assert normalized(named, Partition(WEEK, tier)).records.num_rows == 1


def test_rejects_keep_their_symbol_where_it_can_be_determined() -> None:
    lines = [
        "OTC|BROKEN|a name|with a delimiter|VENUE|AAAA|1|1|2025-12-15",
        "OTC|CUT|first half",
        "second half|AAAA|1",
        "?",
    ]
    rows = normalized(file_text([("A", "AAAA", "?", 1)]) + "\n".join(lines).encode())
    assert rows.rejects["symbol"].to_pylist() == ["A", "BROKEN", "CUT", None, None]


def test_rejects_beyond_many_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rowset, "MAX_REJECTS", 2)
    rows = normalized(file_text([("A", "AAAA", text, 1) for text in ("?", 1, "?", "?", "?")]))
    results = [(row["line"], row["lines"], row["text"] != "") for row in rows.rejects.to_pylist()]
    assert results == [(2, 1, True), (4, 1, True), (5, 2, False)]
    assert rows.rejects["reason"].to_pylist()[-1] == "2 more lines were set aside"
    assert reconciliation.account(rows)["rejects"] == 4
    assert reconciliation.account(rows)["rows"] == 5


def test_a_download_says_nothing_of_what_it_does_not_hold() -> None:
    records = normalized(file_text([("A", "AAAA", 1, 1)])).records
    assert {records[name].null_count for name in ("product_type", "notional", "published_on", "firm_crd")} == {1}
    assert normalize.is_website_file(parse.rows(joined(WEEKLY.file_order) + b"\n"))
    assert not normalize.is_website_file(parse.rows(joined(WEEKLY.api_fields) + b"\n"))


def test_rows_are_distinguished_by_more_values_than_64_bits_count() -> None:
    parts = ("issueSymbolIdentifier", "issueName", "productTypeCode", "MPID", "firmCRDNumber")
    rows: list[dict[str, object]] = [dict.fromkeys(parts, at) for at in range(1, 2**16 + 1)]
    other = rows[0] | {"issueSymbolIdentifier": 2}
    found = normalized(api_text([*rows, other, rows[0]], OTCE))
    assert found.records.num_rows == 2**16 + 1
    assert rejects(found) == [(2**16 + 3, "the same row, by its identity, stands on an earlier line")]
