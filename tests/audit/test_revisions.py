"""What later captures changed: records paired before and after, relabelled ones too."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otcpipe import report, resources
from otcpipe.audit.revisions import newest, revisions
from otcpipe.records import Partition
from tests.support.pipeline import NOON, WEEK, api_text, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
T1 = Partition(WEEK, "T1")
DAY = timedelta(days=1)
FIRM: dict[str, object] = {
    "MPID": "",
    "firmCRDNumber": 7,
    "marketParticipantName": "FIRM SEVEN",
    "summaryTypeCode": "OTC_W_SMBL_FIRM",
}


def restated(*captures: Sequence[Mapping[str, object]], first: int = 0) -> list[dict[str, Any]]:
    """The revisions after captures of the API's rows, a day after one another."""
    for number, rows in enumerate(captures, first):
        drive(observe(api_text(rows, T1), T1, NOON + number * DAY, "all"))
    return revisions(resources.database())


def told(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["change"], row["share_volume_before"], row["share_volume_after"], labels(row)) for row in rows]


def labels(row: dict[str, Any]) -> dict[str, object]:
    """Each label that differs: before and after."""
    return {name: {when: row[f"{name}_{when}"] for when in ("before", "after")} for name in row["relabelled"]}


FILLED_IN: dict[str, tuple[Mapping[str, object], Mapping[str, object], dict[str, object]]] = {
    "an ATS gains its number": ({}, {"firmCRDNumber": 123}, {"firm_crd": {"before": None, "after": 123}}),
    "an ATS gains its name": (
        {"marketParticipantName": ""},
        {},
        {"venue_name": {"before": None, "after": "AAAA VENUE"}},
    ),
    "an MPID is corrected": ({}, {"MPID": "AAAB"}, {"mpid": {"before": "AAAA", "after": "AAAB"}}),
    "a firm is renamed": (
        FIRM,
        FIRM | {"marketParticipantName": "FIRM 7, LLC"},
        {"venue_name": {"before": "FIRM SEVEN", "after": "FIRM 7, LLC"}},
    ),
    "a firm's number is corrected": (FIRM, FIRM | {"firmCRDNumber": 8}, {"firm_crd": {"before": 7, "after": 8}}),
    "an issue is renamed": (
        {},
        {"issueName": "ABC, Inc."},
        {"issue_name": {"before": "Abc Inc", "after": "ABC, Inc."}},
    ),
    "a product type is filled in": (
        {"productTypeCode": ""},
        {},
        {"product_type": {"before": None, "after": "UTP"}},
    ),
}


@pytest.mark.parametrize(("before", "after", "differing"), FILLED_IN.values(), ids=FILLED_IN)
@pytest.mark.parametrize("updated", ["2025-12-15", "2025-12-21"])
def test_what_is_filled_in_or_corrected_is_one_revision(
    environment: dict[str, str],
    before: Mapping[str, object],
    after: Mapping[str, object],
    differing: dict[str, object],
    updated: str,
) -> None:
    others: list[dict[str, object]] = [
        {"MPID": "CCCC", "marketParticipantName": "C POOL", "totalWeeklyShareQuantity": 55},
        FIRM | {"firmCRDNumber": 1, "marketParticipantName": "FIRM ONE", "totalWeeklyShareQuantity": 56},
    ]
    rows = restated([dict(before), *others], [{**after, "lastUpdateDate": updated}, *others])
    assert told(rows) == [("relabelled", 100, 100, differing)]


@pytest.mark.parametrize("lacking", ["mpid = null", "mpid = null, venue_name_id = null"])
def test_an_mpid_that_is_filled_in_is_one_revision(environment: dict[str, str], sql: Sql, lacking: str) -> None:
    other: dict[str, object] = {"MPID": "CCCC", "marketParticipantName": "C POOL", "totalWeeklyShareQuantity": 55}
    drive(observe(api_text([{}, other], T1), T1, NOON, "all"))
    sql(f"update otc_internal.volume_record set {lacking} where mpid = 'AAAA'")  # as a row without MPID is stored
    [row] = restated([{"lastUpdateDate": "2025-12-21"}, other], first=1)
    assert (row["change"], row["share_volume_before"], row["share_volume_after"]) == ("relabelled", 100, 100)
    assert labels(row)["mpid"] == {"before": None, "after": "AAAA"}
    assert ("venue_name" in row["relabelled"]) == ("venue_name" in lacking)


def test_a_record_that_is_relabelled_and_restated_at_once_is_changed(environment: dict[str, str]) -> None:
    rows = restated([{}], [{"firmCRDNumber": 5, "totalWeeklyShareQuantity": 70}])
    assert told(rows) == [("changed", 100, 70, {"firm_crd": {"before": None, "after": 5}})]


def test_two_records_that_could_each_be_the_other_are_not_guessed_at(environment: dict[str, str]) -> None:
    one: dict[str, object] = {"productTypeCode": "A"}
    other: dict[str, object] = {"productTypeCode": "B", "totalWeeklyShareQuantity": 40}
    rows = restated(
        [one, other],
        [
            {"productTypeCode": "C", "totalWeeklyShareQuantity": 1},
            {"productTypeCode": "D", "totalWeeklyShareQuantity": 2},
        ],
    )
    assert sorted(row["change"] for row in rows) == ["added", "added", "withdrawn", "withdrawn"]


def test_a_column_that_is_filled_in_everywhere_pairs_every_record_once(
    environment: dict[str, str],
) -> None:
    """Equal quantities of several products and venues of a symbol are paired one by one."""
    before: list[dict[str, object]] = [
        {
            "issueSymbolIdentifier": symbol,
            "MPID": mpid,
            "productTypeCode": product,
            "marketParticipantName": f"{mpid} X",
        }
        for symbol in ("", "A", "B")
        for mpid in ("AAAA", "BBBB")
        for product in ("UTP", "CQS")
    ]
    after: list[dict[str, object]] = [{**row, "firmCRDNumber": 10 + (row["MPID"] == "BBBB")} for row in before]
    rows = restated(before, after)
    assert [row["change"] for row in rows] == ["relabelled"] * len(before)
    assert all(set(row["relabelled"]) == {"firm_crd"} for row in rows)
    assert {(row["mpid"], row["firm_crd"]) for row in rows} == {("AAAA", 10), ("BBBB", 11)}


def test_a_venue_that_left_and_another_that_came_are_two_revisions(environment: dict[str, str]) -> None:
    gone: dict[str, object] = {"MPID": "GONE", "marketParticipantName": "GONE POOL"}
    rows = restated([{}, gone], [{}, {"MPID": "CAME", "marketParticipantName": "NEW POOL"}])
    assert sorted(row["change"] for row in rows) == ["added", "withdrawn"]


def test_what_a_file_lacks_is_no_relabelling(environment: dict[str, str]) -> None:
    drive(observe(file_text([("ABC", "AAAA", 100, 10), ("XYZ", "AAAA", 5, 1)], "T1"), T1, NOON))
    row = {"issueName": "ABC Inc", "firmCRDNumber": 5}
    other = row | {"issueSymbolIdentifier": "XYZ", "issueName": "XYZ Inc", "totalWeeklyTradeCount": 1}
    drive(observe(api_text([row, other | {"totalWeeklyShareQuantity": 6}], T1), T1, NOON + DAY, "all"))
    assert told(revisions(resources.database())) == [("changed", 5, 6, {})]


def test_the_command_and_the_report_name_what_was_relabelled(
    environment: dict[str, str], here: Callable[..., Any]
) -> None:
    restated([{}, FIRM], [{"firmCRDNumber": 5}, FIRM | {"totalWeeklyShareQuantity": 300}])
    shown = here("revisions")
    assert shown.returncode == 0
    assert "relabelled" in shown.stdout
    assert "firm_crd: none to 5" in shown.stdout
    _, page = report.make(resources.database(), WEEK, NOON + 2 * DAY)
    assert "1 record changed since the first capture: 1 restated, 0 added, 0 withdrawn." in page
    assert "1 record kept its quantities and was relabelled" in page


def test_a_limit_keeps_the_largest_changes_of_the_newest_day(
    environment: dict[str, str], here: Callable[..., Any]
) -> None:
    symbols = [{"issueSymbolIdentifier": symbol} for symbol in "ABC"]
    earlier, later = (dict(zip("ABC", shares, strict=True)) for shares in ((900, 100, 100), (901, 450, 105)))
    restated(
        symbols,
        *(
            [one | {"totalWeeklyShareQuantity": shares[one["issueSymbolIdentifier"]]} for one in symbols]
            for shares in (earlier, later)
        ),
    )
    rows = json.loads(here("revisions", "--limit", 2, "--json").stdout)
    assert [(row["symbol"], row["share_volume_after"]) for row in rows] == [("B", "450.000000"), ("C", "105.000000")]
    assert "2 of 4 changes" in here("revisions", "--limit", 2).stdout


def test_what_several_tiers_changed_on_one_day_is_ranked_together() -> None:
    morning, noon = (datetime(2025, 12, 20, hour, tzinfo=UTC) for hour in (9, 12))
    shares = [(morning, 5, 900), (noon, 100, 101), (noon - DAY, 0, 9_000), (noon, None, 7)]
    changes = [{"observed_at": at, "share_volume_before": was, "share_volume_after": now} for at, was, now in shares]
    assert newest(changes, 9) == [changes[number] for number in (0, 3, 1, 2)]
    assert newest(changes, 2) == [changes[0], changes[3]]
