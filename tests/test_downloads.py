import gzip
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe import downloads
from otcpipe.downloads import Download
from otcpipe.errors import Invalid
from otcpipe.records import TIERS, Partition
from otcpipe.weeks import published_on, week_ending
from tests.lines import OTCE
from tests.pipeline import WEEK, api_text, file_text

DATA = Path(__file__).parent / "data"
PUBLISHED = date(2025, 12, 15)
FRIDAYS = st.dates(date(2014, 1, 1), date(2035, 1, 1)).map(week_ending)
ROW = [("ABC", "AAAA", 1, 1)]


def two_days(first: str, second: str) -> bytes:
    return file_text(ROW, updated_on=first) + file_text([("DEF", "AAAA", 1, 1)], updated_on=second).split(b"\n", 1)[1]


@pytest.mark.parametrize(
    ("day", "friday", "lines"), [(PUBLISHED, WEEK, 5328), (date(2025, 12, 22), date(2025, 11, 21), 5192)]
)
def test_a_real_file_is_placed_by_its_publication(day: date, friday: date, lines: int) -> None:
    content = gzip.decompress((DATA / f"finra_otc_weekly_otc_{day:%Y%m%d}.csv.gz").read_bytes())
    download = downloads.read(content)
    assert download == Download("OTCE", day, day, lines)
    partition, why = downloads.place(download, None)
    assert partition == Partition(friday, "OTCE")
    assert why == f"published Monday {day}, 35 days after Monday {partition.week_start}"
    assert downloads.place(download, friday) == (partition, "as given")


def test_a_file_of_a_tuesday_is_taken_back_to_its_monday() -> None:
    content = file_text(ROW, "T1", date(2022, 1, 18))
    partition, why = downloads.place(downloads.read(content), None)
    assert partition == Partition(date(2021, 12, 31), "T1")
    assert why == "published Tuesday 2022-01-18, 22 days after Monday 2021-12-27"


def test_files_published_on_one_monday_tell_of_different_weeks() -> None:
    placed = [downloads.place(downloads.read(file_text(ROW, tier, PUBLISHED)), None)[0] for tier in TIERS]
    assert placed == [Partition(date(2025, 11, 28), "T1"), Partition(WEEK, "T2"), Partition(WEEK, "OTCE")]


@given(FRIDAYS, st.sampled_from(list(TIERS)))
def test_a_file_as_first_published_finds_its_week(friday: date, tier: str) -> None:
    day = published_on(friday, tier)
    assert downloads.place(Download(tier, day, day, 1), None)[0] == Partition(friday, tier)


@pytest.mark.parametrize("day", [date(2025, 12, 16), date(2025, 12, 19), date(2025, 12, 21), date(2022, 1, 17)])
def test_a_day_without_publication_is_in_doubt(day: date) -> None:
    with pytest.raises(Invalid, match=f"{day} is not a publication date of tier OTCE; give the week with --week"):
        downloads.place(Download("OTCE", day, day, 1), None)


def test_restated_rows_put_the_week_in_doubt_until_it_is_given() -> None:
    download = downloads.read(two_days("2025-12-15", "2026-01-05"))
    assert download == Download("OTCE", PUBLISHED, date(2026, 1, 5), 2)
    with pytest.raises(Invalid, match=r"dates from 2025-12-15 to 2026-01-05.* in doubt; give the week with --week"):
        downloads.place(download, None)
    assert downloads.place(download, WEEK) == (OTCE, "as given")


def test_a_given_week_that_was_not_yet_published_contradicts_the_rows() -> None:
    with pytest.raises(Invalid) as error:
        downloads.place(downloads.read(two_days("2025-12-15", "2026-01-05")), date(2025, 11, 21))
    assert str(error.value) == (
        "The file has rows of 2025-12-15, but tier OTCE of the week ending 2025-11-21 was first published on "
        "2025-12-22."
    )


@given(FRIDAYS, FRIDAYS, st.sampled_from(list(TIERS)))
def test_no_row_is_older_than_its_weeks_publication(friday: date, given_week: date, tier: str) -> None:
    day = published_on(friday, tier)
    try:
        partition, _ = downloads.place(Download(tier, day, day, 1), given_week)
    except Invalid:
        assert given_week > friday
    else:
        assert partition == Partition(given_week, tier)
        assert given_week <= friday


def test_rejects_have_no_say_in_the_week() -> None:
    rows = [("ABC", "AAAA", 1, 1), ("DEF", "AAAA", "?", 1)]
    bad = file_text([rows[1]], updated_on="2026-01-05").splitlines()[1]
    download = downloads.read(file_text(rows[:1]) + bad + b"\nOTC|ABC\nNMS Tier 1|no\n\n")
    assert download == Download("OTCE", PUBLISHED, PUBLISHED, 5)


def test_the_text_of_the_api_is_no_download() -> None:
    with pytest.raises(Invalid, match="API's text; only files from FINRA's website can be imported"):
        downloads.read(api_text([{}], OTCE))


def test_a_file_of_two_tiers_is_refused_with_both() -> None:
    content = file_text(ROW) + file_text(ROW, "T1").split(b"\n", 1)[1]
    with pytest.raises(Invalid, match="must hold one tier; it holds NMS Tier 1, OTC"):
        downloads.read(content)


@pytest.mark.parametrize("lines", [b"", b"OTC|ABC\n", b"\n\n", b"|ABC|Abc|AAAA V|AAAA|1|1|2025-12-15\n"])
def test_a_file_without_a_tier_is_refused(lines: bytes) -> None:
    with pytest.raises(Invalid, match="must hold one tier; it holds none"):
        downloads.read(file_text([]) + lines)


def test_a_file_of_an_unknown_tier_is_refused() -> None:
    with pytest.raises(Invalid, match="'Not Applicable' is not a tier; choose from T1, T2, OTCE"):
        downloads.read(file_text(ROW).replace(b"OTC|", b"Not Applicable|"))


@pytest.mark.parametrize("day", ["", "2025-02-30", "15.12.2025", "0000-01-03"])
def test_a_file_without_a_usable_row_is_refused(day: str) -> None:
    with pytest.raises(Invalid, match="The file has no usable row"):
        downloads.read(file_text(ROW, updated_on=day))


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"a|b\n", b"\0\0"])
def test_what_is_no_file_of_finra_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match=r"^Th(e|is) (file|header|is a)"):
        downloads.read(content)
