"""The gates: for each an input that trips it, and one that just does not."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe.quality import comparisons, gates
from otcpipe.quality.assessment import GATES, Assessment, assess, trusted
from otcpipe.quality.gates import Gate
from otcpipe.quality.measures import Measures, Neighbours

FRIDAY = date(2025, 11, 14)
WEEK = timedelta(days=7)
VENUES = tuple(f"V{number:03d}" for number in range(30))
USUAL = Measures(FRIDAY, "T1", True, 72_000, 0, 0, 62_000, 2_600, Decimal(5_000), Decimal(1_000), VENUES, 0, 0)


def before(**changes: object) -> Measures:
    return replace(USUAL, week_ending=FRIDAY - WEEK, **changes)  # type: ignore[arg-type]


def quarter(rows: int = 72_000, covers_all: bool = True) -> list[Measures]:
    """Four weeks before the usual one."""
    weeks = [FRIDAY - number * WEEK for number in range(1, 5)]
    return [replace(USUAL, week_ending=week, rows=rows, covers_all=covers_all) for week in weeks]


def found(gate: Gate, neighbours: list[Measures], **changes: object) -> int:
    finding = gate(replace(USUAL, **changes), Neighbours(neighbours))  # type: ignore[arg-type]
    return finding[0] if finding else 0


def _assess(graded: Measures, neighbours: list[Measures]) -> Assessment:
    return assess(graded, Neighbours(neighbours))


Case = tuple[Gate, list[Measures], dict[str, object], dict[str, object]]
TRIPS: dict[str, Case] = {  # a gate, the weeks neighbours, what trips it, and what just does not
    "no data": (gates.no_data, [], {"records": 0}, {"records": 1}),
    "half of what was captured before": (
        gates.shrunk,
        [],
        {"rows": 49, "rows_before": 100},
        {"rows": 50, "rows_before": 100},
    ),
    "rejects": (gates.rejects, [], {"rejects": 73}, {"rejects": 72}),
    "reconciliation": (gates.reconciliation, [], {"unreconciled": 1}, {"unreconciled": 0}),
    "no totals to reconcile with": (gates.reconciliation, [], {"unreconciled": 1}, {"unreconciled": None}),
    "more rows than the tier's own": (comparisons.row_count, quarter(), {"rows": 90_001}, {"rows": 90_000}),
    "fewer rows than the tier's own": (comparisons.row_count, quarter(), {"rows": 53_999}, {"rows": 54_000}),
    "more rows than the feed's": (comparisons.row_count, quarter()[:3], {"rows": 108_001}, {"rows": 108_000}),
    "fewer rows than the feed's": (comparisons.row_count, [], {"rows": 35_999}, {"rows": 36_000}),
    "an API week among a file's": (comparisons.row_count, quarter(9, covers_all=False), {"rows": 9}, {}),
    "fewer venues": (comparisons.venue_count, [before()], {"venues": VENUES[:23]}, {"venues": VENUES[:24]}),
    "a venue that vanished": (comparisons.venue_names, [before()], {"venues": VENUES[1:]}, {"venues": VENUES}),
    "a new venue": (comparisons.venue_names, [before()], {"venues": (*VENUES, "NEWX")}, {"venues": VENUES}),
    "more volume": (comparisons.volume, [before()], {"volume": Decimal(7_501)}, {"volume": Decimal(7_500)}),
    "less volume": (comparisons.volume, [before()], {"volume": Decimal(2_499)}, {"volume": Decimal(2_500)}),
    "two issue names": (gates.doubled_symbols, [], {"doubled_symbols": 1}, {"doubled_symbols": 0}),
    "zero values": (gates.zero_records, [], {"zero_records": 1}, {"zero_records": 0}),
}
FATAL: dict[str, Case] = {
    "half of what was captured before": TRIPS["half of what was captured before"],
    "few rows before": (
        gates.shrunk,
        [],
        {"rows": 49, "rows_before": 100},
        {"rows": 1, "rows_before": 99},
    ),
    "no data": TRIPS["no data"],
    "rejects": (gates.rejects, [], {"rejects": 7_201}, {"rejects": 7_200}),
    "rejects of a few rows": (gates.rejects, [], {"rows": 100, "rejects": 11}, {"rows": 99, "rejects": 99}),
    "reconciliation": (gates.reconciliation, [], {"unreconciled": 651}, {"unreconciled": 650}),
    "reconciliation of a few": (
        gates.reconciliation,
        [],
        {"symbols": 100, "unreconciled": 100},
        {"symbols": 99, "unreconciled": 99},
    ),
    "a third of the rows": (comparisons.row_count, quarter(), {"rows": 23_999}, {"rows": 24_000}),
    "a third of a few rows": (comparisons.row_count, quarter(100), {"rows": 33}, {"rows": 34}),
}


@pytest.mark.parametrize(("gate", "neighbours", "trips", "passes"), TRIPS.values(), ids=TRIPS)
def test_a_gate_is_tripped_by_this_and_just_not_by_that(
    gate: Gate, neighbours: list[Measures], trips: dict[str, object], passes: dict[str, object]
) -> None:
    assert found(gate, neighbours, **trips) > 0
    assert found(gate, neighbours, **passes) == 0


@pytest.mark.parametrize(("gate", "neighbours", "stops", "warns"), FATAL.values(), ids=FATAL)
def test_a_gate_stops_a_partition_by_this_and_just_not_by_that(
    gate: Gate, neighbours: list[Measures], stops: dict[str, object], warns: dict[str, object]
) -> None:
    assert found(gate, neighbours, **stops) == gates.FATAL
    assert found(gate, neighbours, **warns) < gates.FATAL


def test_every_gate_has_such_inputs() -> None:
    assert {gate for gate, *_ in TRIPS.values()} == set(GATES)


def test_the_grades_are_these() -> None:
    def judged(**changes: object) -> tuple[str, int]:
        assessment = _assess(replace(USUAL, **changes), [before()])  # type: ignore[arg-type]
        return assessment.grade, assessment.score

    assert judged() == ("A", 100)
    assert judged(doubled_symbols=3, zero_records=2) == ("A", 93)
    assert judged(rows=200_000) == ("B", 85)
    assert judged(volume=Decimal(9_000)) == ("C", 75)
    assert judged(volume=Decimal(9_000), rejects=80) == ("D", 50)
    assert judged(volume=Decimal(9_000), rejects=80, unreconciled=4, venues=(), rows=1) == ("D", 0)
    assert judged(records=0) == ("F", 0)


def test_a_holiday_week_of_less_volume_is_no_anomaly() -> None:
    christmas = replace(USUAL, week_ending=date(2025, 12, 26), volume=Decimal(2_000))  # three and a half days
    ordinary = replace(USUAL, week_ending=date(2025, 12, 19))
    assert _assess(christmas, [ordinary]).grade == "A"
    before_it = replace(USUAL, week_ending=date(2025, 12, 12))
    assert _assess(replace(ordinary, volume=Decimal(2_000)), [before_it]).reasons == (
        "volume a trading day is -60 % against the week ending 2025-12-12",
    )


def test_a_file_is_compared_in_what_it_covers() -> None:
    file = replace(USUAL, covers_all=False, unreconciled=None, rows=9, volume=Decimal(1_000))
    assert _assess(file, [before()]).grade == "A"
    assert _assess(replace(file, ats_volume=Decimal(400)), [before()]).grade == "C"


def test_a_first_week_is_graded_by_itself_and_never_beside_the_week_after() -> None:
    assert _assess(USUAL, []).grade == "A"
    after = replace(USUAL, week_ending=FRIDAY + WEEK)
    assert _assess(replace(USUAL, volume=Decimal(1)), [after]).grade == "A"


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)), st.data())
def test_which_weeks_are_trusted_depends_on_the_set_of_weeks_only(
    order: list[int], accepted: set[int], data: st.DataObject
) -> None:
    def week(number: int) -> Measures:
        rows = data.draw(st.sampled_from([0, 90, 1_000, 70_000, 72_000]))
        rejects = data.draw(st.sampled_from([0, rows // 5]))
        friday = FRIDAY + number * WEEK
        return replace(USUAL, week_ending=friday, rows=rows, rejects=rejects, records=rows - rejects)

    weeks = [week(number) for number in range(12)]
    fridays = {FRIDAY + number * WEEK for number in accepted}
    found = trusted(weeks, fridays)
    assert {one.week_ending for one in weeks if one.week_ending in fridays} <= {one.week_ending for one in found}
    assert all(one.records or one.week_ending in fridays for one in found)
    again = trusted([weeks[number] for number in order], fridays)
    assert sorted(again, key=lambda one: one.week_ending) == found


COUNTS = st.integers(0, 10**9)


@given(
    st.builds(
        Measures,
        st.sampled_from([FRIDAY, FRIDAY - WEEK, FRIDAY + WEEK]),
        st.sampled_from(["T1", "T2", "OTCE"]),
        st.booleans(),
        *(COUNTS, COUNTS, st.none() | COUNTS, COUNTS, COUNTS),
        *(st.decimals(0, 10**15, places=6), st.decimals(0, 10**15, places=6)),
        st.lists(st.sampled_from(VENUES), unique=True),
        *(COUNTS, COUNTS),
    ),
    st.lists(st.sampled_from([before(), *quarter(), before(volume=Decimal(0), ats_volume=Decimal(0))]), max_size=6),
)
def test_anything_gets_a_grade_and_a_reason_where_it_is_not_the_best(
    one: Measures, neighbours: list[Measures]
) -> None:
    assessment = assess(one, Neighbours(neighbours))
    assert 0 <= assessment.score <= 100
    assert bool(assessment.reasons) == (assessment.score < 100)
    assert (assessment.grade == "F") <= (assessment.score == 0)
