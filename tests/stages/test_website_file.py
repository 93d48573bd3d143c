import gzip
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe.datasets import TIERS, WEEKLY
from otcpipe.errors import Invalid
from otcpipe.records import Partition
from otcpipe.stages import website_file
from otcpipe.stages.website_file import WebsiteFile
from otcpipe.weeks import published_on, week_ending
from tests.support.lines import OTCE
from tests.support.pipeline import WEEK, api_text, file_text

DATA = Path(__file__).parents[1] / "data"
PUBLISHED = date(2025, 12, 15)
FRIDAYS = st.dates(date(2014, 1, 1), date(2035, 1, 1)).map(week_ending)
OTCE_WEEK = Partition(WEEK, "OTCE")
ROW = [("ABC", "AAAA", 1, 1)]


def two_days(first: str, second: str) -> bytes:
    return file_text(ROW, updated_on=first) + file_text([("DEF", "AAAA", 1, 1)], updated_on=second).split(b"\n", 1)[1]


@pytest.mark.parametrize(
    ("day", "friday", "lines"), [(PUBLISHED, WEEK, 5328), (date(2025, 12, 22), date(2025, 11, 21), 5192)]
)
def test_a_real_file_is_placed_by_its_publication(day: date, friday: date, lines: int) -> None:
    content = gzip.decompress((DATA / f"finra_otc_weekly_otc_{day:%Y%m%d}.csv.gz").read_bytes())
    download = website_file.read(content)
    assert download == WebsiteFile("OTCE", day, day, lines)
    partition, why = website_file.find_partition(download, None)
    assert partition == Partition(friday, "OTCE")
    assert why == f"published Monday {day}, 35 days after Monday {partition.week_start}"
    assert website_file.find_partition(download, friday) == (partition, "as given")


def test_a_file_of_a_tuesday_is_taken_back_to_its_monday() -> None:
    content = file_text(ROW, "T1", date(2022, 1, 18))
    partition, why = website_file.find_partition(website_file.read(content), None)
    assert partition == Partition(date(2021, 12, 31), "T1")
    assert why == "published Tuesday 2022-01-18, 22 days after Monday 2021-12-27"


def test_files_published_on_one_monday_are_of_different_weeks() -> None:
    placed = [
        website_file.find_partition(website_file.read(file_text(ROW, tier, PUBLISHED)), None)[0] for tier in TIERS
    ]
    assert placed == [Partition(date(2025, 11, 28), "T1"), Partition(WEEK, "T2"), Partition(WEEK, "OTCE")]


@given(FRIDAYS, st.sampled_from(list(TIERS)))
def test_a_file_as_first_published_finds_its_week(friday: date, tier: str) -> None:
    day = published_on(friday, tier)
    assert website_file.find_partition(WebsiteFile(tier, day, day, 1), None)[0] == Partition(friday, tier)


@pytest.mark.parametrize("day", [date(2025, 12, 16), date(2025, 12, 19), date(2025, 12, 21), date(2022, 1, 17)])
def test_a_day_without_publication_is_in_doubt(day: date) -> None:
    with pytest.raises(Invalid, match=f"{day} is not a publication date of tier OTCE; give the week with --week"):
        website_file.find_partition(WebsiteFile("OTCE", day, day, 1), None)


def test_restated_rows_put_the_week_in_doubt_until_it_is_given() -> None:
    download = website_file.read(two_days("2025-12-15", "2026-01-05"))
    assert download == WebsiteFile("OTCE", PUBLISHED, date(2026, 1, 5), 2)
    with pytest.raises(Invalid, match=r"dates from 2025-12-15 to 2026-01-05.* in doubt; give the week with --week"):
        website_file.find_partition(download, None)
    assert website_file.find_partition(download, WEEK) == (OTCE, "as given")


def test_a_given_week_that_was_not_yet_published_contradicts_the_rows() -> None:
    with pytest.raises(Invalid) as error:
        website_file.find_partition(website_file.read(two_days("2025-12-15", "2026-01-05")), date(2025, 11, 21))
    assert str(error.value) == (
        "The file has rows of 2025-12-15, but tier OTCE of the week ending 2025-11-21 was first published on "
        "2025-12-22."
    )


@given(FRIDAYS, FRIDAYS, st.sampled_from(list(TIERS)))
def test_no_row_is_older_than_its_weeks_publication(friday: date, given_week: date, tier: str) -> None:
    day = published_on(friday, tier)
    try:
        partition, _ = website_file.find_partition(WebsiteFile(tier, day, day, 1), given_week)
    except Invalid:
        assert given_week > friday
    else:
        assert partition == Partition(given_week, tier)
        assert given_week <= friday


def test_rejects_have_no_say_in_the_week() -> None:
    rows = [("ABC", "AAAA", 1, 1), ("DEF", "AAAA", "?", 1)]
    bad = file_text([rows[1]], updated_on="2026-01-05").splitlines()[1]
    download = website_file.read(file_text(rows[:1]) + bad + b"\nOTC|ABC\nNMS Tier 1|no\n\n")
    assert (download.tier, download.first_update, download.last_update) == ("OTCE", PUBLISHED, PUBLISHED)
    assert (download.lines, download.rejected) == (4, 3)


def test_the_text_of_the_api_is_no_download() -> None:
    with pytest.raises(Invalid, match="API's text; only files from FINRA's website can be imported"):
        website_file.read(api_text([{}], OTCE))


def test_a_file_of_two_tiers_is_refused_with_both() -> None:
    content = file_text(ROW) + file_text(ROW, "T1").split(b"\n", 1)[1]
    with pytest.raises(Invalid, match="must hold one tier; it holds NMS Tier 1, OTC"):
        website_file.read(content)


@pytest.mark.parametrize("lines", [b"", b"OTC|ABC\n", b"\n\n", b"|ABC|Abc|AAAA V|AAAA|1|1|2025-12-15\n"])
def test_a_file_without_a_tier_is_refused(lines: bytes) -> None:
    with pytest.raises(Invalid, match="must hold one tier; it holds none|has no rows|2 columns instead of 8"):
        website_file.read(file_text([]) + lines)


def test_a_row_without_a_tier_is_rejected_later() -> None:
    content = file_text(ROW) + file_text([("DEF", "AAAA", 1, 1)]).replace(b"OTC|", b"\x1b[2JOTC|").split(b"\n", 1)[1]
    found = website_file.read(content)
    assert (found.tier, found.lines, found.rejected) == ("OTCE", 2, 1)


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_may_be_named_by_its_identifier(tier: str) -> None:
    content = file_text(ROW, tier)
    assert website_file.read(content.replace(f"{TIERS[tier]}|A".encode(), f"{tier}|A".encode())).tier == tier


def test_the_download_of_non_ats_volume_is_called_that() -> None:
    content = file_text([("ABC", "", 1, 1), ("DEF", "", 1, 1)])
    with pytest.raises(Invalid, match="download of non-ATS volume, whose rows have no MPID.*`otcpipe enqueue`"):
        website_file.read(content)


def test_an_ats_file_keeps_the_rows_that_have_no_mpid_yet() -> None:
    content = file_text([("ABC", "AAAA", 1, 1), ("ABC", "", 1, 1)]).replace(b"| VENUE|", b"||")
    assert website_file.read(content).lines == 2


@pytest.mark.parametrize("day", ["12/15/2025", "15.12.2025", "1/5/26"])
def test_a_file_that_a_spreadsheet_saved_is_recognized_by_its_dates(day: str) -> None:
    with pytest.raises(
        Invalid, match=f"dates are written as {day}, not as 2025-12-29.*import the file as downloaded"
    ):
        website_file.read(file_text(ROW, updated_on=day))


@given(FRIDAYS, st.sampled_from(list(TIERS)), st.integers(1, 10))
def test_a_given_week_overrides_a_file_dated_up_to_a_business_day_early(friday: date, tier: str, days: int) -> None:
    day = published_on(friday, tier) - timedelta(days=days)
    download = WebsiteFile(tier, day, day, 1)
    if days <= 4:
        assert website_file.find_partition(download, friday) == (Partition(friday, tier), "as given")
        [warning] = website_file.warnings(download, Partition(friday, tier))
        assert f"dated {day}" in warning
    else:
        with pytest.raises(Invalid, match="first published on"):
            website_file.find_partition(download, friday)


@given(FRIDAYS, st.sampled_from(list(TIERS)), st.integers(0, 90), st.booleans())
def test_rows_of_the_publication_or_later_need_no_warning_unless_another_week_was_published_then(
    friday: date, tier: str, days: int, are_all: bool
) -> None:
    first = published_on(friday, tier) + timedelta(days=days)
    file = WebsiteFile(tier, first, first if are_all else first + timedelta(days=1), 1)
    others = [published_on(friday + timedelta(weeks=number), tier) for number in range(1, 15)]
    found = website_file.warnings(file, Partition(friday, tier))
    assert len(found) == (are_all and first in others)
    assert all(f"All its rows are dated {first}, when the week ending" in warning for warning in found)


@pytest.mark.parametrize("symbol", ["ABC ", " ABC", "A\u200bBC", "ABC\u00a0", "A\tBC"])
def test_an_identifier_that_would_be_another_than_it_looks_refuses_the_file(symbol: str) -> None:
    content = file_text([("DEF", "AAAA", 1, 1), (symbol, "AAAA", 1, 1)])
    with pytest.raises(
        Invalid, match=r"^Line 3: symbol '.*' has spaces around it, or a character that cannot be seen"
    ):
        website_file.read(content)


def test_a_file_without_rows_or_of_other_columns_is_called_that() -> None:
    header, row = file_text(ROW).splitlines(keepends=True)
    with pytest.raises(Invalid, match=r"^The file has no rows\.$"):
        website_file.read(header)
    with pytest.raises(Invalid, match=r"no usable row: 9 columns instead of 8"):
        website_file.read(header + row.rstrip(b"\n") + b"|\n")


def judged(content: bytes) -> str:
    try:
        found = website_file.warnings(website_file.read(content), OTCE_WEEK)
    except Invalid as error:
        return "refused" if "ends in the middle of line 3: download it again" in str(error) else str(error)
    return "doubted" if "Its last line has no line break" in found[0] else str(found)


@pytest.mark.parametrize("columns", [[*WEEKLY.file_order], [*reversed(WEEKLY.file_order)]])
def test_a_file_that_was_cut_in_a_line_is_refused_or_doubted_wherever_the_cut_is(columns: list[str]) -> None:
    text = file_text([("ABC", "AAAA", 1234, 5), ("DEF", "AAAA", 5678, 90)]).decode().splitlines()
    order = [text[0].split("|").index(name) for name in columns]
    whole = "\n".join("|".join(line.split("|")[at] for at in order) for line in text).encode() + b"\n"
    last = whole.rindex(b"\n", 0, -1) + 1
    assert website_file.warnings(website_file.read(whole), OTCE_WEEK) == []
    assert website_file.warnings(website_file.read(whole[:last]), OTCE_WEEK) == []
    said = [judged(whole[:end]) for end in range(last + 1, len(whole))]
    assert set(said) == {"refused", "doubted"}
    assert said == sorted(said, reverse=True), "as long as the last line is no row"


def test_rows_that_cannot_be_used_are_counted_before_they_are_imported() -> None:
    text = file_text([("ABC", "AAAA", 1, 1), ("DEF", "AAAA", 2, 2), ("GHI", "AAAA", 3, 3)])
    bad = text.replace(b"|2|2|", b"|2|x|")
    [warning] = website_file.warnings(website_file.read(bad), OTCE_WEEK)
    assert warning.startswith("1 row cannot be used: line 3: ")
    [warning] = website_file.warnings(website_file.read(bad.replace(b"|3|3|", b"|3|y|")), OTCE_WEEK)
    assert warning.startswith("2 rows cannot be used, the first: line 3: ")


def test_a_file_of_an_unknown_tier_is_refused() -> None:
    with pytest.raises(Invalid, match="'Not Applicable' is not a tier; choose from T1, T2, OTCE"):
        website_file.read(file_text(ROW).replace(b"OTC|", b"Not Applicable|"))


@pytest.mark.parametrize("day", ["", "2025-02-30", "0000-01-03"])
def test_a_file_without_a_usable_row_is_refused_with_the_reason(day: str) -> None:
    with pytest.raises(Invalid, match="no usable row: 1 of 1 rows were rejected because lastUpdateDate is"):
        website_file.read(file_text(ROW, updated_on=day))


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"a|b\n", b"\0\0"])
def test_what_is_no_file_of_finra_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match=r"^Th(e|is) (file|header|is a)"):
        website_file.read(content)
