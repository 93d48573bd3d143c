from collections.abc import Mapping
from datetime import date

import pytest

from otcpipe.quality import reconciliation
from otcpipe.records import Partition
from otcpipe.stages import normalize, parse
from tests.finra_server import FIELDS, generate
from tests.support.pipeline import api_text

T1 = Partition(date(2026, 3, 6), "T1")
FIRM: dict[str, object] = {}
OTHER = {"MPID": "BBBB", "marketParticipantName": "BBBB VENUE", "totalWeeklyShareQuantity": "0.000001"}
TOTAL = {
    "summaryTypeCode": "ATS_W_SMBL",
    "MPID": "",
    "marketParticipantName": "",
    "totalWeeklyShareQuantity": "100.000001",
    "totalWeeklyTradeCount": 20,
}
VENUE = {"summaryTypeCode": "ATS_W_FIRM", "issueSymbolIdentifier": "", "issueName": ""}


def difference(*rows: Mapping[str, object]) -> list[str] | None:
    return reconciliation.unreconciled(normalize.rows(parse.rows(api_text(rows, T1)), T1))


def test_rows_that_add_up_are_reconciled() -> None:
    assert difference(FIRM, OTHER, TOTAL) == []
    assert difference(FIRM, OTHER, TOTAL, VENUE) == []


def test_without_totals_nothing_is_known() -> None:
    assert difference(FIRM, OTHER) is None


@pytest.mark.parametrize(
    "wrong",
    [
        TOTAL | {"totalWeeklyTradeCount": 21},
        TOTAL | {"totalWeeklyShareQuantity": "100.000004"},
        TOTAL | {"issueSymbolIdentifier": "XYZ"},
    ],
)
def test_one_trade_or_a_little_more_than_rounding_is_reported_by_symbol(wrong: Mapping[str, object]) -> None:
    found = difference(FIRM, OTHER, wrong)
    assert found
    assert "ABC" in found


def test_a_rounding_is_allowed() -> None:
    assert difference(FIRM, OTHER, TOTAL | {"totalWeeklyShareQuantity": "100.000002"}) == []


def test_a_firm_that_does_not_add_up_is_reported_by_name() -> None:
    assert difference(FIRM, OTHER, TOTAL, VENUE | {"totalWeeklyTradeCount": 11}) == ["AAAA VENUE"]


@pytest.mark.parametrize("names", [("AAAA VENUE",), ("RENAMED",), ("AAAA VENUE", "RENAMED")])
def test_a_venue_with_two_names_is_compared_with_its_totals_under_any_of_them(names: tuple[str, ...]) -> None:
    renamed = {"marketParticipantName": "RENAMED", "totalWeeklyTradeCount": 10}
    total = TOTAL | {"totalWeeklyShareQuantity": 200}
    of_venue = VENUE | {
        "totalWeeklyShareQuantity": 200 // len(names),
        "totalWeeklyTradeCount": 20 // len(names),
    }
    assert difference(FIRM, renamed, total, *(of_venue | {"marketParticipantName": name} for name in names)) == []
    wrong = of_venue | {"marketParticipantName": names[0], "totalWeeklyTradeCount": 21}
    assert difference(FIRM, renamed, total, wrong) == ["RENAMED"]


def test_volume_of_no_known_venue_is_reconciled_with_its_symbol() -> None:
    nobody = {"MPID": "", "marketParticipantName": "", "totalWeeklyTradeCount": 10}
    assert difference(FIRM, nobody, TOTAL | {"totalWeeklyShareQuantity": 200}) == []
    assert difference(FIRM, nobody, TOTAL | {"totalWeeklyShareQuantity": 201}) == ["ABC"]


@pytest.mark.parametrize("tier", ["T1", "T2", "OTCE"])
def test_generated_weeks_with_all_traps_are_reconciled(tier: str) -> None:
    partition = Partition(T1.week_ending, tier)
    text = "\n".join(["|".join(FIELDS), *generate(T1.week_start, tier, 60, seed=4)])
    rows = normalize.rows(parse.rows(text.encode()), partition)
    assert rows.totals.num_rows > 60
    assert reconciliation.unreconciled(rows) == []
