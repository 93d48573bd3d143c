"""One partition of the API, proven complete or not there.

The proof: the total stays the same from the first page to the last, as many rows came as it says, each of them has
all columns and belongs to the partition, the first page read again at the end has the same rows, and no row is cut.
Each page is asked for from the last row of the page before, so that a row that was cut at the end of one is whole in
the next; the end of the very last row is read again as JSON, which cannot be cut unseen. Rows that repeat an identity
are taken for FINRA's own after two complete reads with equal bytes. What the proof cannot see is a value that changed
between two pages while all of that held: the reconciliation with the totals may.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from otcpipe.errors import Defective
from otcpipe.finra.limits import TooLarge, limited
from otcpipe.finra.threads import Threads, threads
from otcpipe.records import CompletePartition, Page, Partition
from otcpipe.stages import completeness
from otcpipe.stages.completeness import PartitionChanged, TextNotUsable

VERSION = 1
PAGE = 5000
AT_ONCE = 6  # pages under way; the rate limit is what bounds the speed
TRIES = 4  # of a whole partition, when it moves meanwhile
SECONDS = 1500.0  # for all of that, within the stage's limit
MOST_BYTES = 96 << 20  # of a partition; the largest ever seen has some 30 MB


class Ask(Protocol):
    """Reads the page at an offset; as JSON or text, or by default in the format of the settings."""

    def __call__(self, offset: int, limit: int, /, *, is_json: bool | None = None) -> Page: ...


def read_partition(partition: Partition, ask: Ask) -> CompletePartition | None:
    """Read a partition until it is proven complete; None when it has no rows.

    Raises Defective when it never stands still or takes too long, Permanent when a column is missing.
    """
    reason, repeated = "", b""
    with limited(SECONDS, float("inf")):
        for _ in range(TRIES):
            try:
                found = _read(partition, ask)
            except PartitionChanged as moved:
                reason, ask = str(moved), partial(ask, is_json=True) if isinstance(moved, TextNotUsable) else ask
                continue
            if found is None or found.content == repeated or not completeness.has_repeats(found.content):
                return found
            reason, repeated = "a row came twice", found.content
    raise Defective(f"The partition never stood still: {reason} in {TRIES} attempts.")


def _read(partition: Partition, ask: Ask) -> CompletePartition | None:
    """One attempt; None without rows. Raises Moved where the proof fails."""
    with threads(AT_ONCE) as pool:
        reading = _Reading(pool, ask)
        first = pool.one(lambda: reading.page(0, PAGE))
        if not first.rows:
            if first.total:
                raise PartitionChanged(f"a total of {first.total:,} rows but none on the first page")
            return None
        completeness.check_columns(first.header)
        pages = [first, *reading.rest(first)]
        rows = completeness.joined(pages)
        if len(rows) != first.total:
            raise PartitionChanged(f"{len(rows):,} rows came of {first.total:,}")
        ends = reading.check_ends(first, rows[-1])
    content = completeness.in_order(first.header, rows, partition, is_escaped=first.is_escaped)
    ids = tuple(page.request_id for page in (*pages, *ends))
    return CompletePartition(content, first.total, len(ids), ids)


class _Reading:
    """One attempt at a partition."""

    def __init__(self, pool: Threads, ask: Ask) -> None:
        self._pool = pool
        self._ask = ask
        self._bytes = 0

    def page(self, offset: int, limit: int) -> Page:
        """A page of rows; raises Unwritable when it has other lines even when it is read again."""
        page = self._ask(offset, limit)
        if completeness.are_rows(page, offset, limit):
            return self._counted(page)
        again = self._ask(offset, limit)
        if completeness.are_rows(again, offset, limit):
            return self._counted(again)
        if (again.header, again.rows) == (page.header, page.rows):
            raise TextNotUsable("lines came that are not rows")
        raise PartitionChanged("lines came that are not rows")

    def _counted(self, page: Page) -> Page:
        self._bytes += len(page.header) + sum(map(len, page.rows))  # racing threads may miss a page, not the bound
        if self._bytes > MOST_BYTES:
            raise TooLarge(f"FINRA's partition has more than {MOST_BYTES >> 20} MiB.")
        return page

    def rest(self, first: Page) -> list[Page]:
        """All after the first page: stretches of a page's length at once, each until its end is reached."""
        step = max(1, PAGE - 1)
        starts = range(len(first.rows), first.total, step)
        calls: list[Callable[[], list[Page]]] = [
            partial(self._stretch, first, at, min(at + step, first.total)) for at in starts
        ]
        return [page for pages in self._pool.all(calls) for page in pages]

    def _stretch(self, first: Page, start: int, end: int) -> list[Page]:
        pages = list[Page]()
        while start < end:
            page = self.page(start - 1, end - start + 1)
            if page.total != first.total:
                raise PartitionChanged(f"the total went from {first.total:,} to {page.total:,} rows")
            if page.header != first.header:
                raise PartitionChanged("the columns changed")
            if len(page.rows) <= 1:
                raise PartitionChanged(f"{len(page.rows):,} rows came where {end - start + 1:,} were asked for")
            pages.append(page)
            start += len(page.rows) - 1
        return pages

    def check_ends(self, first: Page, row: bytes) -> list[Page]:
        """The first page and the very last row once more; raises Moved where they differ."""
        calls: list[Callable[[], Page]] = [lambda: self._ask(0, PAGE)]
        if not first.is_escaped:
            calls.append(lambda: self._ask(first.total - 1, 1, is_json=True))
        again, *tail = self._pool.all(calls)
        same = (again.header, sorted(again.rows), again.total) == (first.header, sorted(first.rows), first.total)
        if not same:
            raise PartitionChanged("the first page differed when it was read again")
        if any(completeness.last_value(page, first.header) != row.rpartition(b"|")[2] for page in tail):
            raise PartitionChanged("the last row differed when it was read again")
        return [again, *tail]
