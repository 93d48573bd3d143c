"""The conditions that a request can put on rows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from .rows import NUMBERS, PLACE, SPELLING, Row

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "EQUAL": lambda one, two: one == two,
    "NOT_EQUAL": lambda one, two: one != two,
    "GREATER": lambda one, two: one > two,
    "LESSER": lambda one, two: one < two,
    "GTE": lambda one, two: one >= two,
    "LTE": lambda one, two: one <= two,
    "BEGINS_WITH": lambda one, two: str(one).startswith(str(two)),
}


class BadRequest(Exception):
    """The request is answered by 400."""


@dataclass(frozen=True)
class Filter:
    """One condition on one field; a null value meets only NOT_EQUAL."""

    name: str
    comparison: str
    values: tuple[str, ...]

    def admits(self, value: str | None) -> bool:
        if value is None:
            return self.comparison == "NOT_EQUAL"
        compare, typed = COMPARISONS[self.comparison], float if self.name in NUMBERS else str
        return any(compare(typed(value), typed(wanted)) for wanted in self.values)

    def admits_row(self, row: Row) -> bool:
        return self.admits(row[PLACE[self.name]])


def filters_of(said: dict[str, Any]) -> tuple[Filter, ...]:
    made = [
        Filter(field_name(each.get("fieldName")), _comparison(each), (str(each.get("fieldValue")),))
        for each in said["compareFilters"]
    ]
    for each in said.get("domainFilters") or []:
        made.append(Filter(field_name(each.get("fieldName")), "EQUAL", tuple(map(str, each.get("values") or ()))))  # noqa: PERF401 - like the loops beside it
    for each in said.get("dateRangeFilters") or []:
        name = field_name(each.get("fieldName"))
        made.append(Filter(name, "GTE", (str(each.get("startDate")),)))
        made.append(Filter(name, "LTE", (str(each.get("endDate")),)))
    return tuple(_typed(each) for each in made)


def _typed(each: Filter) -> Filter:
    """Refuses a value that its field cannot have; the beginning of one is any text."""
    if each.comparison == "BEGINS_WITH":
        return each
    check = float if each.name in NUMBERS else date.fromisoformat if "Date" in each.name else str
    try:
        for value in each.values:
            check(value)
    except ValueError as error:
        raise BadRequest(f"{value} is not a value of {each.name}") from error
    return each


def _comparison(said: dict[str, Any]) -> str:
    name = str(said.get("compareType", "EQUAL")).upper()
    if name not in COMPARISONS:
        raise BadRequest(f"Compare type {name} is not known")
    return name


def field_name(name: object) -> str:
    """A field name in FINRA's spelling, whatever the case it came in."""
    found = SPELLING.get(str(name).lower())
    if found is None:
        raise BadRequest(f"Field {name} is not part of the dataset")
    return found
