"""Which captures of a partition count, and which were replaced."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from otcpipe.storage.postgres import Row


def by_partition(captures: Iterable[Row]) -> dict[tuple[date, str], list[Row]]:
    """Return the captures of each week and tier."""
    found: dict[tuple[date, str], list[Row]] = {}
    for row in captures:
        found.setdefault((row["week_ending"], row["tier"]), []).append(row)
    return found


def later(capture: Row, partition: Sequence[Row]) -> list[Row]:
    """Return the captures that replaced it: later ones of as many venue types; a website file has ATSs only."""
    covering = {"all", capture["covers"]}
    return [row for row in _counting(partition) if _order(row) > _order(capture) and row["covers"] in covering]


def earlier(capture: Row, partition: Sequence[Row]) -> list[Row]:
    """Return the captures before it, of which the last counts if it is withdrawn."""
    return [row for row in _counting(partition) if _order(row) < _order(capture)]


def _counting(partition: Sequence[Row]) -> list[Row]:
    return sorted((row for row in partition if row["persisted_at"] and not row["is_withdrawn"]), key=_order)


def _order(capture: Row) -> tuple[datetime, str]:
    return capture["observed_at"], capture["fetched_key"]
