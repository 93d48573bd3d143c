"""A request for rows: what its body says, and the 400s for what it must not say."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from .filters import BadRequest, Filter, field_name, filters_of
from .rows import FIELDS, KEYS

MAX_LIMIT = 5_000
MAX_OFFSET = 500_000
DELIMITERS = ("|", ",", "\t", "\x01")
SORTING = (
    "Sorting is allowed only if all partitions keys are specified in EQUAL CompareFilter. "
    "Partition keys: weekStartDate, tierIdentifier"
)
HISTORIC_KEYS = ("weekStartDate", "historicalWeek", "historicalMonth")


@dataclass(frozen=True)
class Query:
    """A request for one page. `historic` holds the period that weeklySummaryHistoric was asked for."""

    fields: tuple[str, ...] = FIELDS
    limit: int = 1_000
    offset: int = 0
    filters: tuple[Filter, ...] = ()
    sort: tuple[str, ...] = ()
    delimiter: str = ","
    quoted: bool = True
    as_json: bool = False
    historic: str | None = None

    @property
    def row_filters(self) -> tuple[Filter, ...]:
        return tuple(each for each in self.filters if each.name not in KEYS)

    @property
    def exact_key(self) -> tuple[date, str] | None:
        """The one partition asked for, when the key filters are EQUAL on both keys and nothing else."""
        keys = {each.name: each for each in self.filters if each.name in KEYS and each.comparison == "EQUAL"}
        if len(keys) + len(self.row_filters) != len(self.filters) or len(keys) != 2:
            return None
        week, tier = (keys[name].values for name in KEYS)
        return (date.fromisoformat(week[0]), tier[0]) if len(week) == len(tier) == 1 else None

    def admits_key(self, week_start: str, tier: str) -> bool:
        values = dict(zip(KEYS, (week_start, tier), strict=True))
        wanted = self.historic is None or week_start.startswith(self.historic)
        return wanted and all(each.admits(values[each.name]) for each in self.filters if each.name in KEYS)


def parse(body: bytes, *, as_json: bool, historic: bool = False) -> Query:
    """The query of a POST body; keys that are not known are ignored. Raises BadRequest."""
    try:
        said: Any = json.loads(body or b"{}")
    except ValueError as error:
        raise BadRequest("Request payload is not valid JSON") from error
    if not isinstance(said, dict):
        raise BadRequest("Request payload must be a JSON object")
    compare, period = said.get("compareFilters") or [], None
    if historic:
        compare, period = _historic(said, compare)
    query = Query(
        fields=tuple(field_name(name) for name in said.get("fields") or FIELDS),
        limit=min(_count(said, "limit", 1_000), MAX_LIMIT),
        offset=_count(said, "offset", 0),
        filters=filters_of({**said, "compareFilters": compare}),
        sort=tuple(_sort_field(name) for name in said.get("sortFields") or ()),
        delimiter=str(said.get("delimiter", ",")),
        quoted=bool(said.get("quoteValues", True)),
        as_json=as_json,
        historic=period,
    )
    return _checked(query)


def _checked(query: Query) -> Query:
    equal = {each.name for each in query.filters if each.comparison == "EQUAL"}
    if query.sort and not equal.issuperset(KEYS):
        raise BadRequest(SORTING)
    if query.offset > MAX_OFFSET:
        raise BadRequest(f"Offset cannot be greater than {MAX_OFFSET}")
    if query.limit < 1:
        raise BadRequest("Limit must be greater than 0")
    if query.delimiter not in DELIMITERS:
        raise BadRequest("Delimiter is not allowed")
    return query


def _historic(said: dict[str, Any], compare: list[Any]) -> tuple[list[Any], str]:
    """The tier filters that are left, and the one period asked for as the beginning of a date."""
    periods = [each for each in compare if each.get("fieldName") in HISTORIC_KEYS]
    others = [each for each in compare if each not in periods]
    if any(said.get(key) for key in ("sortFields", "domainFilters", "dateRangeFilters")):
        raise BadRequest("Sorting and other filters are not allowed on historic data")
    if len(periods) != 1 or any(each.get("fieldName") != "tierIdentifier" for each in others):
        raise BadRequest(f"Exactly one of {', '.join(HISTORIC_KEYS)} is required, and optionally tierIdentifier")
    if any(each.get("compareType", "EQUAL").upper() != "EQUAL" for each in compare):
        raise BadRequest("Only EQUAL is allowed on historic data")
    return others, str(periods[0].get("fieldValue"))


def _sort_field(name: object) -> str:
    text = str(name)
    return ("-" if text.startswith("-") else "") + field_name(text.lstrip("-+"))


def _count(said: dict[str, Any], name: str, default: int) -> int:
    value = said.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadRequest(f"{name} must be a number from 0 on")
    return value
