"""Which rows a page holds."""

from collections.abc import Sequence

from .dataset import Partition
from .page import Page
from .query import Query
from .rows import to_row
from .sorting import scattered


def selected(partitions: Sequence[Partition], query: Query, seed: int) -> Page:
    """The rows of a page. Unsorted ones come in another order each time, but oldest partitions first.

    weeklySummaryHistoric cannot be sorted, so its arbitrary order is at least always the same.
    """
    lists: list[list[str]] = [partition.lines for partition in partitions]
    if query.sort and partitions:
        orders = partitions[0].orders(query.sort)
        lists = [orders[seed % len(orders)]]
    if query.row_filters:
        lists = [[line for line in lines if _is_admitted(line, query)] for lines in lists]
    found: list[str] = []
    start, seed = query.offset, 1 if query.historic else seed
    for lines in lists:
        end = start + query.limit - len(found)
        if start < len(lines) and len(found) < query.limit:
            found += lines[start:end] if query.sort else scattered(lines, start, end - start, seed)
        start = max(0, start - len(lines))
    return Page(found, sum(map(len, lists)), query.fields)


def _is_admitted(line: str, query: Query) -> bool:
    row = to_row(line)
    return all(each.admits_row(row) for each in query.row_filters)
