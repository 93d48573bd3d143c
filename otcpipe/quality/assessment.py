"""The grade of a partition, from the findings of all gates, and which weeks may serve for comparison."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date

from otcpipe.quality import comparisons, gates
from otcpipe.quality.gates import FATAL, Gate
from otcpipe.quality.measures import Measures, Neighbours, neighbours

GRADES = (("A", 90), ("B", 80), ("C", 60))  # with the lowest score of each; below them D, and F for a fatal finding
OWN_GATES: tuple[Gate, ...] = (gates.no_data, gates.shrunk, gates.rejects, gates.reconciliation)  # decide on trust
GATES: tuple[Gate, ...] = (
    *OWN_GATES,
    comparisons.row_count,
    comparisons.venue_count,
    comparisons.venue_names,
    comparisons.volume,
    gates.doubled_symbols,
    gates.zero_records,
)


@dataclass(frozen=True)
class Assessment:
    """A grade A to F, a score 0 to 100, and the reasons, gravest first."""

    grade: str
    score: int
    reasons: tuple[str, ...]


def assess(graded: Measures, compared: Neighbours) -> Assessment:
    """Grade a partition: 100 minus the points of its findings, and F if one of them is fatal."""
    found = [finding for gate in GATES if (finding := gate(graded, compared))]
    found.sort(key=lambda finding: -finding[0])
    score = max(0, 100 - sum(points for points, _ in found))
    grade = next((grade for grade, least in GRADES if score >= least), "D")
    is_fatal = any(points >= FATAL for points, _ in found)
    return Assessment("F" if is_fatal else grade, score, tuple(reason for _, reason in found))


def trusted(newest: Sequence[Measures], accepted: Container[date]) -> list[Measures]:
    """Return the weeks that others may be compared with: accepted ones, and those without a fatal finding.

    First the gates that need no neighbours decide, then the number of rows against the weeks that remain. So the
    result depends on the set of weeks, not on the order in which they were graded.
    """
    sound = [one for one in newest if one.week_ending in accepted or is_sound(one)]
    return [
        one
        for one in sound
        if one.week_ending in accepted
        or not _is_fatal(one, (comparisons.row_count,), neighbours(one.week_ending, sound))
    ]


def is_sound(graded: Measures) -> bool:
    """Return whether a capture has no fatal finding of its own."""
    return not _is_fatal(graded, OWN_GATES, Neighbours(()))


def _is_fatal(graded: Measures, checks: Sequence[Gate], compared: Neighbours) -> bool:
    return any(finding[0] >= FATAL for gate in checks if (finding := gate(graded, compared)))
