"""The day of first publication of a partition, by the rows of its captures."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe import resources
from otcpipe.records import Partition
from otcpipe.stages import normalize
from otcpipe.weeks import published_on
from tests.support.lines import normalized
from tests.support.pipeline import NOON, WEEK, api_text, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
T1 = Partition(WEEK, "T1")
PLANNED = published_on(WEEK, "T1")
DAY = timedelta(days=1)
DAYS = st.sampled_from([WEEK - DAY, WEEK, WEEK + DAY, PLANNED - DAY, PLANNED, PLANNED + 7 * DAY])


def rows(days: list[date]) -> list[dict[str, object]]:
    return [
        {"issueSymbolIdentifier": f"S{place}", "initialPublishedDate": day, "lastUpdateDate": day}
        for place, day in enumerate(days)
    ]


@given(st.lists(DAYS))
def test_it_is_the_day_of_most_records_after_their_week(days: list[date]) -> None:
    possible = [day for day in days if day > WEEK]
    expected = min(possible, key=lambda day: (-possible.count(day), day)) if possible else PLANNED
    text = api_text(rows(days) or [{"lastUpdateDate": "never"}], T1)
    assert normalize.published_on(normalized(text, T1), T1) == expected


def test_a_file_of_the_website_is_of_the_planned_day() -> None:
    text = file_text([("ABC", "AAAA", 1, 1)], tier="T1", updated_on=PLANNED + 7 * DAY)
    assert normalize.published_on(normalized(text, T1), T1) == PLANNED


@pytest.mark.parametrize(
    ("published", "updated", "late"),
    [
        ([PLANNED] * 3, [PLANNED] * 3, 0),
        ([PLANNED, PLANNED, PLANNED + DAY], [PLANNED] * 3, 1),
        ([PLANNED] * 3, [PLANNED, PLANNED + DAY, PLANNED - DAY], 2),
    ],
)
def test_records_of_another_day_of_publication_or_of_update_are_counted(
    published: list[object], updated: list[object], late: int
) -> None:
    days = zip(published, updated, strict=True)
    lines = [
        {"issueSymbolIdentifier": f"S{number}", "initialPublishedDate": first, "lastUpdateDate": last}
        for number, (first, last) in enumerate(days)
    ]
    assert normalize.late(normalized(api_text(lines, T1), T1).records, PLANNED).num_rows == late


def test_records_of_a_website_file_have_a_day_of_update_only() -> None:
    for day, late in ((PLANNED, 0), (PLANNED + 7 * DAY, 1)):
        text = file_text([("ABC", "AAAA", 1, 1)], tier="T1", updated_on=day)
        assert normalize.late(normalized(text, T1).records, PLANNED).num_rows == late


def test_an_older_database_learns_the_days_of_its_captures(environment: dict[str, str], sql: Sql) -> None:
    early, late = PLANNED - DAY, PLANNED + 7 * DAY
    contents = [[late], [early, early, late], [early, late, late, late], [early], [PLANNED, PLANNED, late]]
    for number, days in enumerate(contents):
        drive(observe(api_text(rows(days), T1), T1, NOON + number * DAY, "all"))
    drive(observe(file_text([("S0", "AAAA", 5, 1)], "T2", PLANNED), Partition(WEEK, "T2"), NOON))
    asked = "select published_on, count(*) from otc.capture group by 1"
    days_of = sql(asked)
    assert Counter(dict(days_of)) == {late: 2, early: 2, PLANNED: 1, published_on(WEEK, "T2"): 1}
    exact = "select capture_id, published_on from otc.capture order by 1"
    before = sql(exact)
    sql("update otc.capture set published_on = %s where tier = 'T1'", PLANNED)
    sql("delete from otc.migration where name = '0014_publication'")
    assert resources.database().migrate() == ["0014_publication"]
    assert sql(exact) == before
