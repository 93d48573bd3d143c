"""Consecutive weeks of coverage in the same state: gaps as sentences, and equal weeks as one line of a table."""

from collections.abc import Sequence
from datetime import date

from otcpipe.datasets import TIERS
from otcpipe.pipeline import planning
from otcpipe.pipeline.coverage import Cell

NEED_ATTENTION = ("late", "failed", "held")  # states


def describe(cells: Sequence[Cell]) -> list[str]:
    """Return a sentence for each gap."""
    return [sentence(first, last) for first, last in find(cells)]


def find(cells: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    """Return the first and the last of consecutive weeks of a tier that need attention for the same reason."""
    gaps: list[list[Cell]] = []
    for cell in sorted(cells, key=lambda one: list(TIERS).index(one.partition.tier)):
        if cell.state not in NEED_ATTENTION:
            continue
        if gaps and _continues(gaps[-1][-1], cell):
            gaps[-1].append(cell)
        else:
            gaps.append([cell])
    return [(gap[0], gap[-1]) for gap in gaps]


def group_weeks(cells: Sequence[Cell]) -> list[tuple[date, date, list[Cell]]]:
    """Group consecutive weeks with equal states: (first week, last week, cells of the first week)."""
    by_week: dict[date, list[Cell]] = {}
    for cell in cells:
        by_week.setdefault(cell.partition.week_ending, []).append(cell)
    groups: list[tuple[date, date, list[Cell]]] = []
    for week, row in by_week.items():
        if groups and all(map(_is_equal, groups[-1][2], row)):
            groups[-1] = (groups[-1][0], week, groups[-1][2])
        else:
            groups.append((week, week, row))
    return groups


def _is_equal(one: Cell, other: Cell) -> bool:
    """Return whether two weeks need the same words: at which stage one ended matters only where it failed."""
    is_same_stage = one.stage == other.stage or one.state != "failed"
    return is_same_stage and (one.state, one.restated) == (other.state, other.restated)


def _continues(one: Cell, other: Cell) -> bool:
    same_tier = one.partition.tier == other.partition.tier
    is_next = other.partition.week_ending - one.partition.week_ending == planning.WEEK
    return same_tier and is_next and _is_equal(one, other) and one.reason == other.reason


def sentence(first: Cell, last: Cell) -> str:
    """Return what is wrong from a first to a last week, and why."""
    begin, end = first.partition.week_ending, last.partition.week_ending
    span = f"week ending {begin}" if begin == end else f"weeks ending {begin} to {end}"
    days = f"{first.days_late}" if first.days_late == last.days_late else f"{last.days_late} to {first.days_late}"
    problem = {"late": f"late by {days} days", "failed": f"failed at {first.stage}", "held": "held"}
    reason = (first.reason or "no reason is known").rstrip(".")
    return f"{first.partition.tier}, {span}: {problem[first.state]}: {reason}."
