"""The profile of a partition's records against a plain reference, equal for rows and for tables."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe import resources
from otcpipe.quality import profile
from otcpipe.records import Partition
from otcpipe.storage import arrow
from otcpipe.text.tables import RECORD
from tests.support.lines import normalized
from tests.support.pipeline import NOON, WEEK, api_text, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
T1 = Partition(WEEK, "T1")
COLUMNS = ["symbol", "issue_name", "venue_type", "mpid", "share_volume", "trade_count", "notional"]
SHARES = st.decimals(-1, 9, places=6)
ROWS = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(["A", "B", "C", None]),
        "issue_name": st.sampled_from(["A Inc", "A Ltd", None]),
        "venue_type": st.sampled_from(["ATS", "NON_ATS"]),
        "mpid": st.sampled_from(["AAAA", "BBBB", None]),
        "share_volume": SHARES,
        "trade_count": st.integers(-1, 3),
        "notional": st.none() | SHARES,
    }
)


def reference(rows: list[dict[str, Any]]) -> dict[str, object]:
    names: dict[str, set[str]] = {}
    for row in rows:
        if row["symbol"] is not None:
            names.setdefault(row["symbol"], set()).update({row["issue_name"]} - {None})
    quantities = ("share_volume", "trade_count", "notional")
    return {
        "records": len(rows),
        "symbols": len(names),
        "volume": sum((row["share_volume"] for row in rows), Decimal(0)),
        "ats_volume": sum((row["share_volume"] for row in rows if row["venue_type"] == "ATS"), Decimal(0)),
        "venues": sorted({row["mpid"] for row in rows} - {None}),
        "doubled_symbols": sum(len(found) > 1 for found in names.values()),
        "zero_records": sum(any(row[name] is not None and row[name] <= 0 for name in quantities) for row in rows),
    }


@given(st.lists(ROWS, max_size=12))
def test_measures_are_those_of_a_plain_reference(rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows, pa.schema([RECORD.field(name) for name in COLUMNS]))
    assert profile.of(table) == reference(rows)


@pytest.mark.parametrize("is_whole", [True, False])
def test_measures_of_a_capture_are_those_of_the_tables(sql: Sql, is_whole: bool) -> None:
    """An API capture replaces all current records; a file leaves those that it does not cover."""
    rows: list[dict[str, object]] = [
        {},
        {"MPID": "BBBB", "issueName": "Abc Ltd"},
        {"issueSymbolIdentifier": "", "totalNotionalSum": 0},
    ]
    other = {"summaryTypeCode": "OTC_W_SMBL_FIRM", "MPID": "", "firmCRDNumber": 7}
    told = api_text([*rows, other], T1)
    drive(observe(file_text([("OLD", "AAAA", 1, 1)], "T1"), T1, NOON - timedelta(days=1)))
    drive(observe(told, T1, covers="all"))
    if not is_whole:
        drive(observe(file_text([("ABC", "AAAA", 5, 1)], "T1"), T1, NOON + timedelta(days=1)))
    with resources.database().transaction() as transaction:
        current = arrow.table(transaction, "current_records", week_ending=WEEK, tier="T1")
        stored = transaction.row("quality", week_ending=WEEK, tier="T1")
    assert stored is not None
    expected = profile.of(normalized(told, T1).records if is_whole else current)
    assert expected == profile.of(current)
    assert {name: stored[name] for name in expected} == expected
