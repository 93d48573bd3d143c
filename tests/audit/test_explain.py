"""A number down to the lines of stored bytes behind it, on FINRA's own file and on answers of the API."""

import gzip
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.audit import raw_lines
from otcpipe.cli import app
from otcpipe.records import Partition
from tests.conftest import DATA
from tests.support.pipeline import NOON, WEEK, api_text, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Explain = Callable[..., tuple[object, str, str]]
T1, OTCE = Partition(WEEK, "T1"), Partition(WEEK, "OTCE")
REAL = gzip.decompress((DATA / "finra_otc_weekly_otc_20251215.csv.gz").read_bytes())
FIRM = {"summaryTypeCode": "OTC_W_SMBL_FIRM", "MPID": "", "firmCRDNumber": 7, "marketParticipantName": "Seven LLC"}


@pytest.fixture
def explain(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Explain:
    """Runs the command in this process: its exit code, what it printed, what it said on the error stream."""

    def run(*arguments: object) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["otcpipe", "explain", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            app()
        return exited.value.code, *capsys.readouterr()

    return run


def test_a_real_index_down_to_the_lines_of_finras_file(explain: Explain, sql: Sql) -> None:
    drive(observe(REAL, OTCE))
    code, out, error = explain("TCEHY", "--week", "2025-11-12", "--metric", "symbol_concentration")
    assert (code, error) == (0, "")
    assert "3,379.82" in out
    assert "10,000 x" in out
    assert "   4683 OTC|TCEHY|Tencent Holdings Limited" in out
    header = REAL.splitlines()[0].decode()
    assert out.index(f"        {header}\n") < out.index("|TCEHY|")
    ((volume, trades),) = sql("select total_volume, total_trades from otc.symbol_summary where symbol = 'TCEHY'")
    told = f"3 lines add up to {volume:,.0f} shares in {trades:,} trades, as symbol_summary says."
    assert told in out
    (found,) = json.loads(explain("TCEHY", "--week", "2025-11-14", "--json")[1])
    own = {row["metric"]: row for row in found["metrics"]}
    assert (own["symbol_concentration"]["hhi"], found["week_ending"]) == ("3379.82", "2025-11-14")
    assert {"symbol_concentration", "symbol_summary", "symbol_rolling_avg"} <= set(own)
    assert not {"average_print_price", "venue_share"} & set(own)  # no notional in a file, no symbol in a share
    (capture,) = found["captures"]
    assert capture["header"] == header
    for record in found["records"]:
        assert record["raw_key"] == capture["raw_key"]
        assert REAL.splitlines()[record["line"] - 1].decode() == record["text"]
        assert f"|{record['mpid']}|{Decimal(record['share_volume']):f}".rstrip("0").rstrip(".") in record["text"]
    assert found["proofs"][0]["agrees"]
    assert sql("select digest from otc.capture") == [(capture["digest"],)]


def test_an_average_is_explained_by_the_weeks_that_it_reads_and_every_scope_is_proven(
    explain: Explain, sql: Sql
) -> None:
    for back in range(7):
        partition = Partition(WEEK - timedelta(days=7 * back), "T1")
        rows: list[dict[str, object]] = [{"totalWeeklyShareQuantity": 100 + back}, FIRM, {"MPID": "BBBB"}]
        drive(observe(api_text(rows, partition), partition, covers="all"))
    revised = file_text([("ABC", "AAAA", "150.5", 10), ("ABC", "BBBB", 100, 10)], "T1")
    revised = revised.replace(b"ABC Inc", b"Abc Inc").replace(b"BBBB VENUE", b"AAAA VENUE")
    drive(observe(revised, T1, NOON + timedelta(days=1)))
    sql("update otc.capture set request_ids = '{x,y,z}' where source = 'api'")
    (found,) = json.loads(explain("ABC", "--week", WEEK, "--metric", "symbol_rolling_avg", "--json")[1])
    assert len({record["week_ending"] for record in found["records"]}) == 7  # six, and those that would show a split
    assert len(found["records"]) == 21
    assert [proof["agrees"] for proof in found["proofs"]] == [True] * 21
    assert [capture["request_ids"] for capture in found["captures"] if capture["source"] == "file"] == [[]]
    out = explain("ABC", "--week", WEEK, "--metric", "symbol_summary")[1]
    assert "from FINRA's API in 3 requests (x, y, z), observed 2025-12-20 12:00:00 UTC, SHA-256" in out
    assert "T1 2025-11-14, ATS: 2 lines add up to 250.5 shares in 20 trades, as symbol_summary says." in out
    assert "T1 2025-11-14, NON_ATS: 1 line adds up to 100 shares in 10 trades, as symbol_summary says." in out


def test_a_number_that_its_lines_do_not_give_is_said_to_be_unproven(explain: Explain, sql: Sql) -> None:
    drive(observe(file_text([("A", "AAAA", 5, 1), ("B", "AAAA", 5, 1)]), OTCE))
    sql("update otc_internal.volume_record set share_volume = 6 where symbol = 'A'")
    sql("update otc.symbol_summary set total_volume = 6 where symbol = 'A'")
    code, out, error = explain("A", "--week", WEEK)
    assert (code, error) == (1, "otcpipe: 2 numbers cannot be proven: see `otcpipe verify --week 2025-11-14`.\n")
    assert "but the record has 6 shares in 1 trade at AAAA" in out
    assert "1 line adds up to 5 shares in 1 trade, but symbol_summary says 6 in 1." in out
    sql("update otc_internal.volume_record set mpid = 'CCCC' where symbol = 'B'")
    code, out, _ = explain("B", "--week", WEEK)
    assert (code, "no line has 5 shares in 1 trade at CCCC" in out) == (1, True)


def test_what_is_not_there_is_one_sentence(explain: Explain) -> None:
    drive(observe(file_text([("BRKpB", "AAAA", 5, 1)]), OTCE))
    for arguments, words in {
        ("brkpb",): "No symbol 'brkpb' is stored: did you mean BRKpB?",
        ("NONE",): "No symbol 'NONE' is stored.",
        (
            "BRKpB",
            "--metric",
            "beta",
        ): "beta is not a metric; choose from average_print_price, concentration_change, ",
        ("BRKpB", "--metric", "venue_share"): "venue_share is by venue, not by symbol",
    }.items():
        code, out, error = explain(*arguments, "--week", WEEK)
        assert (code, out, error.count("\n")) == (2, "", 1), arguments
        assert words in error


def test_lines_are_distinguished_by_venue_product_and_firm() -> None:
    rows: list[dict[str, object]] = [
        {},
        {"productTypeCode": "CTS"},
        FIRM,
        {"issueName": "ABC"},
        {"issueSymbolIdentifier": "XABC"},
        {"summaryTypeCode": "ATS_W_SMBL", "MPID": ""},
        {"marketParticipantName": "RENAMED"},
    ]
    found = raw_lines.of_symbol(b"\xef\xbb\xbf" + api_text(rows, T1).replace(b"\n", b"\r\n") + b"ABC|broken\n", "ABC")
    assert [line.number for line in found] == [2, 3, 4, 5, 7, 8]
    ats = {
        "venue_type": "ATS",
        "issue_name": "Abc Inc",
        "mpid": "AAAA",
        "firm_crd": None,
        "product_type": "UTP",
        "venue_name": "AAAA VENUE",
    }
    firm = ats | {"venue_type": "NON_ATS", "mpid": None, "firm_crd": 7, "venue_name": FIRM["marketParticipantName"]}
    for record, number in (
        (ats | {"product_type": "CTS"}, 3),
        (ats, 2),
        (ats | {"venue_name": "RENAMED"}, 8),
        (firm, 4),
    ):
        assert [line.number for line in found if line.matches(record)] == [number]


def test_raw_bytes_that_are_damaged_prove_nothing(explain: Explain, environment: dict[str, str]) -> None:
    runs = drive(observe(file_text([("A", "AAAA", 5, 1)]), OTCE))
    resources.store().discard(str(runs[1].key))
    code, _, error = explain("A", "--week", WEEK)
    assert (code, error) == (1, f"otcpipe: {runs[1].key} does not exist.\n")
