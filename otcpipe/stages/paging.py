"""Read one partition of the API page by page, until it is proven complete.

The proof: the total stays the same from the first page to the last; as many rows arrive as it says; each row has all
columns and belongs to the partition; the first page, read again at the end, has the same rows; no row is truncated.
Each page begins with the last row of the previous page, so that a row truncated at the end of one page is complete in
the next; the last value of the very last row is read again as JSON, which cannot be truncated unnoticed. Rows that
repeat an identity are accepted as FINRA's own after two complete reads with equal bytes. The proof does not detect a
value that changes between two pages while all of this holds; reconciliation with the totals may.
"""

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Protocol

from otcpipe.errors import Defective
from otcpipe.finra.limits import TooLarge, limited
from otcpipe.finra.threads import Threads, threads
from otcpipe.records import CompletePartition, Page, Partition
from otcpipe.stages import completeness
from otcpipe.stages.completeness import PartitionChanged, TextNotUsable

PAGE_ROWS = 5000
PARALLEL_PAGES = 6  # requests in progress; the rate limit bounds the speed
ATTEMPTS = 4  # at a whole partition, if it changes meanwhile
MAX_SECONDS = 1500.0  # for all attempts, less than the stage's time limit
SORTING = Lock()  # held by one thread of a process at a time: it takes three times the memory of the rows
MAX_BYTES = 96 << 20  # of a partition; the largest seen has about 30 MB


class ReadPage(Protocol):
    """Reads the page at an offset; as JSON or text, or by default in the format of the settings."""

    def __call__(self, offset: int, limit: int, /, *, is_json: bool | None = None) -> Page: ...


def read_partition(partition: Partition, read_page: ReadPage) -> CompletePartition | None:
    """Read a partition until it is proven complete; return None if it has no rows.

    Raises Defective if it keeps changing or takes too long, Permanent if a column is missing.
    """
    reason, repeated = "", b""
    with limited(MAX_SECONDS, float("inf")):
        for _ in range(ATTEMPTS):
            try:
                found = _read(partition, read_page)
            except PartitionChanged as change:
                reason = str(change)
                if isinstance(change, TextNotUsable):
                    read_page = partial(read_page, is_json=True)
                continue
            if found is None or found.content == repeated or not found.has_repeats:
                return found
            reason, repeated = "two rows have one identity", found.content
    raise Defective(f"The partition kept changing: {reason} in {ATTEMPTS} attempts.")


def _read(partition: Partition, read_page: ReadPage) -> CompletePartition | None:
    """Read the partition once; return None if it has no rows. Raises PartitionChanged if the proof fails."""
    with threads(PARALLEL_PAGES) as pool:
        attempt = _Attempt(pool, read_page)
        first = pool.one(lambda: attempt.page(0, PAGE_ROWS))
        if not first.rows:
            if first.total:
                raise PartitionChanged(f"a total of {first.total:,} rows but none on the first page")
            return None
        completeness.check_columns(first.header)
        pages = [first, *attempt.pages_after(first)]
        rows = completeness.join_pages(pages)
        if len(rows) != first.total:
            raise PartitionChanged(f"{len(rows):,} rows arrived instead of {first.total:,}")
        ends = attempt.check_ends(first, rows[-1])
    ids = tuple(page.request_id for page in (*pages, *ends))
    with SORTING:
        content, has_repeats = completeness.sort_rows(first.header, rows, partition, is_escaped=first.is_escaped)
    return CompletePartition(content, first.total, len(ids), ids, has_repeats)


class _Attempt:
    """One attempt to read a partition."""

    def __init__(self, pool: Threads, read_page: ReadPage) -> None:
        self._pool = pool
        self._read_page = read_page
        self._bytes = 0

    def page(self, offset: int, limit: int) -> Page:
        """Read a page; raises TextNotUsable if lines are not rows twice in the same way, else PartitionChanged."""
        page = self._read_page(offset, limit)
        if completeness.has_only_rows(page, offset, limit):
            return self._count(page)
        again = self._read_page(offset, limit)
        if completeness.has_only_rows(again, offset, limit):
            return self._count(again)
        if (again.header, again.rows) == (page.header, page.rows):
            raise TextNotUsable("a page has lines that are not rows")
        raise PartitionChanged("a page has lines that are not rows")

    def pages_after(self, first: Page) -> list[Page]:
        """Read all pages after the first, in parallel: each thread reads one stretch until its end."""
        step = max(1, PAGE_ROWS - 1)
        starts = range(len(first.rows), first.total, step)
        calls: list[Callable[[], list[Page]]] = [
            partial(self._stretch, first, at, min(at + step, first.total)) for at in starts
        ]
        return [page for pages in self._pool.all(calls) for page in pages]

    def check_ends(self, first: Page, last_row: bytes) -> list[Page]:
        """Read the first page and the last row again; raises PartitionChanged if they differ."""
        calls: list[Callable[[], Page]] = [lambda: self._read_page(0, PAGE_ROWS)]
        if not first.is_escaped:
            calls.append(lambda: self._read_page(first.total - 1, 1, is_json=True))
        again, *tail = self._pool.all(calls)
        if (again.header, sorted(again.rows), again.total) != (first.header, sorted(first.rows), first.total):
            raise PartitionChanged("the first page differed when it was read again")
        last = last_row.rpartition(b"|")[2]
        if not all(completeness.is_same_value(last, completeness.last_value(page, first.header)) for page in tail):
            raise PartitionChanged("the last row differed when it was read again")
        return [again, *tail]

    def _stretch(self, first: Page, start: int, end: int) -> list[Page]:
        """Read the rows from `start` up to `end`, in several pages if the server returns fewer than requested."""
        pages = list[Page]()
        while start < end:
            page = self.page(start - 1, end - start + 1)
            if page.total != first.total:
                raise PartitionChanged(f"the total went from {first.total:,} to {page.total:,} rows")
            if page.header != first.header:
                raise PartitionChanged("the columns changed")
            if len(page.rows) <= 1:
                raise PartitionChanged(f"a page has {len(page.rows):,} rows instead of {end - start + 1:,}")
            pages.append(page)
            start += len(page.rows) - 1
        return pages

    def _count(self, page: Page) -> Page:
        self._bytes += len(page.header) + sum(map(len, page.rows))  # threads may race: the bound is approximate
        if self._bytes > MAX_BYTES:
            raise TooLarge(f"FINRA's partition has more than {MAX_BYTES >> 20} MiB.")
        return page
