import csv
import gzip
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otcpipe import weeks
from otcpipe.datasets import TIERS
from otcpipe.errors import Invalid

DATA = Path(__file__).parents[1] / "data"
NOON = datetime(2026, 11, 23, 17, tzinfo=UTC)  # in New York
WEEK = date(2025, 11, 14)
DAY = timedelta(days=1)
FRIDAYS = [date(2014, 1, 3) + number * 7 * DAY for number in range(22 * 52 + 4)]
MOMENTS = st.datetimes(datetime(2014, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given UTC
HOLIDAYS = {
    "Martin Luther King": date(2025, 1, 20),
    "Presidents'": date(2025, 2, 17),
    "Memorial": date(2025, 5, 26),
    "Juneteenth": date(2023, 6, 19),
    "Independence, observed": date(2021, 7, 5),
    "Labor": date(2025, 9, 1),
    "Christmas": date(2023, 12, 25),
    "Christmas, observed": date(2022, 12, 26),
    "New Year": date(2024, 1, 1),
    "New Year, observed": date(2023, 1, 2),
}
BANK_HOLIDAYS = {"Columbus": date(2025, 10, 13), "Veterans": date(2024, 11, 11)}


def recorded() -> list[tuple[date, date]]:
    """The Friday and the first publication of each recorded row of tier T1."""
    with gzip.open(DATA / "aapl_brkb_ats_w_smbl_t1_248_weeks.csv.gz", "rt", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    days = [(date.fromisoformat(row["weekStartDate"]), row["initialPublishedDate"]) for row in rows]
    return [(monday + 4 * DAY, date.fromisoformat(published)) for monday, published in days]


def weeks_before(monday: date, tier: str) -> date:
    """The Friday of the week that would be published on a Monday without holidays."""
    return monday - (3 if tier == "T1" else 5) * 7 * DAY + 4 * DAY


def test_every_recorded_row_was_published_on_the_day_that_the_calendar_says() -> None:
    rows = recorded()
    assert len(rows) == 496
    assert [weeks.published_on(friday, "T1") for friday, _ in rows] == [published for _, published in rows]


def test_the_calendar_gives_the_248_recorded_publication_dates() -> None:
    published = sorted({published for _, published in recorded()})
    fridays = sorted({friday for friday, _ in recorded()})
    assert len(published) == len(fridays) == 248
    span = (fridays[-1] - fridays[0]).days // 7 + 1
    assert [weeks.published_on(fridays[0] + number * 7 * DAY, "T1") for number in range(span)] == published


def test_every_recorded_publication_date_leads_back_to_its_week() -> None:
    assert all(weeks.week_published_on(published, "T1") == friday for friday, published in recorded())


@pytest.mark.parametrize("tier", TIERS)
def test_a_publication_date_names_its_week_from_2014_to_2035(tier: str) -> None:
    assert (FRIDAYS[0].year, FRIDAYS[-1].year) == (2014, 2035)
    assert [weeks.week_published_on(weeks.published_on(friday, tier), tier) for friday in FRIDAYS] == FRIDAYS


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("monday", HOLIDAYS.values(), ids=HOLIDAYS)
def test_a_holiday_of_the_exchange_moves_publication_to_tuesday(monday: date, tier: str) -> None:
    assert weeks.published_on(weeks_before(monday, tier), tier) == monday + DAY
    with pytest.raises(Invalid, match=f"{monday} is not a publication date of tier {tier}"):
        weeks.week_published_on(monday, tier)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("monday", BANK_HOLIDAYS.values(), ids=BANK_HOLIDAYS)
def test_a_holiday_of_the_banks_alone_does_not_move_publication(monday: date, tier: str) -> None:
    assert weeks.published_on(weeks_before(monday, tier), tier) == monday


@pytest.mark.parametrize("day", [date(2025, 12, 16), date(2025, 12, 19), date(2025, 12, 21)])
def test_a_day_on_which_nothing_is_published_is_refused(day: date) -> None:
    with pytest.raises(Invalid, match="is not a publication date of tier OTCE; give the week with --week"):
        weeks.week_published_on(day, "OTCE")


def test_a_day_before_the_calendar_is_refused_too() -> None:
    with pytest.raises(Invalid, match="0001-01-01 is not a publication date of tier T1"):
        weeks.week_published_on(date(1, 1, 1), "T1")


@given(st.dates(date(2014, 1, 1), date(2026, 11, 22)))
def test_any_day_gives_the_friday_of_its_week(day: date) -> None:
    friday = weeks.parse_week(str(day), NOON)
    assert friday.isocalendar() == (*day.isocalendar()[:2], 5)


@pytest.mark.parametrize("day", ["2026-11-16", "2026-11-20", "2026-11-22"])
def test_the_week_that_ended_last_is_taken(day: str) -> None:
    assert weeks.parse_week(day, NOON) == date(2026, 11, 20)


@pytest.mark.parametrize("day", ["2026-11-23", "2026-11-27", "2026-11-29", "9999-12-31"])
def test_a_week_that_ends_after_today_is_refused(day: str) -> None:
    with pytest.raises(Invalid, match=r"The week ending \d{4}-\d\d-\d\d has not ended yet\."):
        weeks.parse_week(day, NOON)


@pytest.mark.parametrize("day", ["0001-01-01", "0001-01-05", "1970-01-02", "2013-12-27"])
def test_a_week_before_the_feed_is_refused(day: str) -> None:
    with pytest.raises(
        Invalid, match=r"The week ending \d{4}-\d\d-\d\d was never published: the feed begins in 2014\."
    ):
        weeks.parse_week(day, NOON)


@given(st.dates(), MOMENTS)
def test_any_date_of_any_year_is_a_week_of_the_feed_or_refused(day: date, now: datetime) -> None:
    try:
        friday = weeks.parse_week(str(day), now)
    except Invalid:
        friday = weeks.week_ending(day)
        assert friday < weeks.EARLIEST or friday > weeks.today(now)
    else:
        assert weeks.is_week(friday)
        assert weeks.EARLIEST <= friday <= weeks.today(now)


@given(st.dates())
def test_only_a_friday_is_a_week(day: date) -> None:
    assert weeks.is_week(day) == (day.weekday() == 4 and 2014 <= day.year <= 2099)
    if day.weekday() != 4:
        with pytest.raises(Invalid, match="is not a Friday; weeks end on Fridays"):
            weeks.check_week(day, NOON)


@given(st.dates(), st.sampled_from(list(TIERS)))
def test_a_date_of_publication_of_any_year_leads_to_a_week_of_the_feed_or_is_refused(day: date, tier: str) -> None:
    try:
        friday = weeks.week_published_on(day, tier)
    except Invalid:
        return
    assert weeks.is_week(friday)
    assert weeks.published_on(friday, tier) == day


@given(st.datetimes(timezones=st.timezones() | st.just(UTC)))
def test_a_moment_of_any_year_is_one_of_the_feed_or_refused(moment: datetime) -> None:
    try:
        read = weeks.parse_moment(moment.isoformat(), NOON)
    except Invalid:
        assert moment.year < 2014 or moment > NOON
    else:
        assert read == datetime.fromisoformat(moment.isoformat())  # which no clock of its zone may have shown
        assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "9999-12-31T00:00:00Z", "2013-12-31T23:59:59Z"]
)
def test_a_moment_outside_the_feed_is_refused(text: str) -> None:
    with pytest.raises(
        Invalid, match=r"is outside the feed, which begins in 2014|lies in the future|has no time zone"
    ):
        weeks.parse_moment(text, NOON)


def test_a_date_of_knowledge_is_the_end_of_that_day_in_new_york() -> None:
    assert weeks.parse_as_of("2025-07-01", NOON) == datetime(2025, 7, 2, 3, 59, 59, 999999, UTC)
    assert weeks.parse_as_of("2025-12-15", NOON) == datetime(2025, 12, 16, 4, 59, 59, 999999, UTC)
    assert weeks.parse_as_of("2026-11-23", NOON) == NOON  # today: what is known now
    assert weeks.parse_as_of("2025-12-15T06:00:00-05:00", NOON) == datetime(2025, 12, 15, 11, tzinfo=UTC)
    for text, words in (("2026-11-24", "in the future"), ("2013-12-31", "outside the feed"), ("soon", "not a time")):
        with pytest.raises(Invalid, match=words):
            weeks.parse_as_of(text, NOON)


def test_a_span_is_of_weeks_in_order() -> None:
    assert weeks.parse_span("2025-11-10", "2025-11-16", NOON) == (WEEK, WEEK)
    assert weeks.parse_span(None, None, NOON) == (None, None)
    with pytest.raises(Invalid, match="The week ending 2025-11-21 is after the week ending 2025-11-14"):
        weeks.parse_span("2025-11-17", "2025-11-14", NOON)


def test_today_is_the_day_in_new_york() -> None:
    midnight = datetime(2025, 11, 14, 5, tzinfo=UTC)
    assert weeks.parse_week("2025-11-14", midnight) == WEEK
    with pytest.raises(Invalid, match="The week ending 2025-11-14 has not ended yet"):
        weeks.parse_week("2025-11-14", midnight - timedelta(seconds=1))


@pytest.mark.parametrize("text", ["", "yesterday", "2025-02-30", "11/14/2025", "2025-11-14T00:00", "202\uff15-11-14"])
def test_what_is_no_date_is_refused_with_the_form_of_one(text: str) -> None:
    with pytest.raises(Invalid) as error:
        weeks.parse_week(text, NOON)
    assert str(error.value) == f"{text!r} is not a date; write it as YYYY-MM-DD."


@pytest.mark.parametrize(("tier", "description"), TIERS.items())
def test_both_names_of_a_tier_are_accepted(tier: str, description: str) -> None:
    assert weeks.parse_tier(tier) == weeks.parse_tier(description) == tier
    assert weeks.parse_tier(tier.lower()) == weeks.parse_tier(description.lower().replace(" ", "-")) == tier


@pytest.mark.parametrize("text", ["", "T3", "NMS", "NA", "Not Applicable", "T1 "])
def test_what_is_no_tier_is_refused_with_the_choice(text: str) -> None:
    with pytest.raises(Invalid) as error:
        weeks.parse_tier(text)
    assert str(error.value) == f"{text!r} is not a tier; choose from T1, T2, OTCE."


@pytest.mark.parametrize(("friday", "hour"), [(date(2025, 6, 20), 10), (WEEK, 11)], ids=["summer", "winter"])
def test_a_week_is_due_at_six_in_new_york(friday: date, hour: int) -> None:
    due = weeks.due_at(friday, "OTCE")
    assert due.timetz().replace(tzinfo=None) == time(6)
    assert due.astimezone(UTC).hour == hour


def test_a_week_is_not_due_then_due_then_late_from_the_wednesday_on() -> None:
    due, second = datetime(2025, 12, 15, 11, tzinfo=UTC), timedelta(seconds=1)
    moments = [due - 30 * DAY, due - second, due, due + 2 * DAY - second, due + 2 * DAY, due + 999 * DAY]
    states = [weeks.state_of(WEEK, "OTCE", moment) for moment in moments]
    assert states == ["not_due", "not_due", "due", "due", "late", "late"]


def test_lateness_is_counted_in_days_of_each_tiers_own_calendar() -> None:
    wednesday = datetime(2025, 12, 17, 11, tzinfo=UTC)
    assert [weeks.days_late(WEEK, tier, wednesday) for tier in TIERS] == [16, 2, 2]  # T1 was due on 1 December
    assert weeks.days_late(WEEK, "OTCE", wednesday - timedelta(seconds=1)) == 0
    assert weeks.days_late(WEEK, "OTCE", wednesday + 5 * DAY) == 7


def test_the_newest_weeks_on_23_november_2026() -> None:
    six = datetime(2026, 11, 23, 11, tzinfo=UTC)
    assert [weeks.newest_published(six, tier) for tier in TIERS] == [
        date(2026, 11, 6),
        date(2026, 10, 23),
        date(2026, 10, 23),
    ]
    assert weeks.newest_published(six - timedelta(seconds=1), "T1") == date(2026, 10, 30)


@settings(deadline=None)
@given(MOMENTS, st.sampled_from(list(TIERS)))
def test_the_newest_week_is_due_and_the_next_is_not(now: datetime, tier: str) -> None:
    newest = weeks.newest_published(now, tier)
    assert weeks.due_at(newest, tier) <= now < weeks.due_at(newest + 7 * DAY, tier)
