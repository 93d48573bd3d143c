from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from otcpipe.pipeline.refresh import MIN_INTERVAL, Candidate, most_urgent, quiet_reason
from otcpipe.records import Partition

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WEEK = date(2026, 1, 2)


def candidate(age: float, since: float, requests: int = 10, number: int = 0) -> Candidate:
    """Published `age` days ago, last asked for `since` days ago."""
    place = Partition(WEEK + timedelta(days=7 * number), "T1")
    return Candidate(place, NOW - timedelta(days=age), NOW - timedelta(days=since), requests)


def test_the_young_come_before_the_old_that_wait_as_long() -> None:
    young, middle, old = (candidate(age, 7, number=number) for number, age in enumerate((20, 100, 900)))
    assert most_urgent([old, middle, young], NOW, 1000) == [young, middle, old]


def test_the_old_come_in_their_turn() -> None:
    young, old = candidate(20, 3), candidate(900, 400, number=1)
    assert most_urgent([young, old], NOW, 10) == [old]


def test_one_that_was_asked_for_today_is_left_in_peace() -> None:
    assert most_urgent([candidate(20, 0.5)], NOW, 1000) == []


def test_what_is_left_in_peace_has_a_reason() -> None:
    assert "no partition" in quiet_reason([], NOW, 10)
    assert quiet_reason([candidate(20, 0.5)], NOW, 10) == (
        "all were asked for within 1 day, the last at 2026-11-23 00:00 UTC"
    )
    assert "takes 10 requests, more than --max-requests 9" in quiet_reason([candidate(20, 5)], NOW, 9)


candidates = st.lists(
    st.builds(candidate, st.floats(1, 1500), st.floats(0, 900), st.integers(1, 60), st.integers(0, 300)), max_size=40
)


@given(candidates, st.integers(1, 500))
def test_the_budget_holds_and_is_used(known: list[Candidate], budget: int) -> None:
    found = most_urgent(known, NOW, budget)
    left = budget - sum(one.requests for one in found)
    assert left >= 0
    passed_over = [one for one in known if one not in found and NOW - one.observed_at >= MIN_INTERVAL]
    assert all(one.requests > left for one in passed_over)
