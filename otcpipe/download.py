"""One partition of the API, proven complete or not there.

The proof: the total stays the same from the first page to the last, as many rows came as it says, no row came twice,
the first page read again at the end has the same bytes, and every row belongs to the partition. What it cannot see
is a value that changed between two pages while all of that held: the reconciliation with the totals may.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe import logs, parse
from otcpipe.errors import Defective, Permanent
from otcpipe.records import API_FIELDS, REASON, Page, Partition, Whole, plain

VERSION = 1
PAGE = 5000
AT_ONCE = 6  # pages under way; the rate limit is what bounds the speed
TRIES = 4  # of a whole partition, when it moves meanwhile
IDENTITY = [
    "summaryTypeCode",
    "issueSymbolIdentifier",
    "issueName",
    "productTypeCode",
    "MPID",
    "firmCRDNumber",
    "marketParticipantName",
]
Ask = Callable[[int, int], Page]  # from an offset and a limit


class Moved(Exception):
    """The partition changed while it was read."""


def whole(partition: Partition, ask: Ask) -> Whole | None:
    """Read a partition until it is proven complete; None when it has no rows.

    Raises Defective when it never stands still, Permanent when a column is missing.
    """
    reason = ""
    for _ in range(TRIES):
        try:
            return _read(partition, ask)
        except Moved as moved:
            reason = str(moved)
    raise Defective(f"The partition never stood still: {reason} in {TRIES} attempts.")


def _read(partition: Partition, ask: Ask) -> Whole | None:
    first = ask(0, PAGE)
    if not first.rows:
        if first.total:
            raise Moved(f"a total of {first.total:,} rows but none on the first page")
        return None
    _check_columns(first.header)
    pages = [first, *_rest(first, ask)]
    again = ask(0, PAGE)
    if (again.header, again.rows, again.total) != (first.header, first.rows, first.total):
        raise Moved("the first page differed when it was read again")
    rows = [row for page in pages for row in page.rows]
    if len(rows) != first.total:
        raise Moved(f"{len(rows):,} rows came of {first.total:,}")
    content = in_order(first.header, rows, partition)
    ids = tuple(page.request_id for page in (*pages, again))
    return Whole(content, first.total, len(ids), ids)


def _rest(first: Page, ask: Ask) -> list[Page]:
    """All after the first page: stretches of a page's length at once, each until its end is reached."""

    def stretch(start: int) -> list[Page]:
        end, pages = min(start + PAGE, first.total), list[Page]()
        while start < end:
            page = ask(start, end - start)
            if page.total != first.total:
                raise Moved(f"the total went from {first.total:,} to {page.total:,} rows")
            if page.header != first.header:
                raise Moved("the columns changed")
            if not 0 < len(page.rows) <= end - start:
                raise Moved(f"{len(page.rows):,} rows came where {end - start:,} were asked for")
            pages.append(page)
            start += len(page.rows)
        return pages

    with ThreadPoolExecutor(AT_ONCE, initializer=logs.FIELDS.set, initargs=(logs.FIELDS.get(),)) as pool:
        return [page for pages in pool.map(stretch, range(len(first.rows), first.total, PAGE)) for page in pages]


def _check_columns(header: bytes) -> None:
    columns = header.decode("utf-8", "replace").split("|")
    missing = [name for name in API_FIELDS if name not in columns]
    if missing:
        raise Permanent(f"FINRA's page lacks the column {', '.join(missing)}.")


def in_order(header: bytes, rows: list[bytes], partition: Partition) -> bytes:
    """The text in the order of its rows' identities; raises Moved for a row of elsewhere or one that came twice."""
    text = header + b"\n" + b"\n".join(rows) + b"\n"
    table = plain(parse.rows(text))
    well_formed = table.filter(table[REASON].is_null())
    _check_belonging(well_formed, partition)
    identities = well_formed.select(IDENTITY)
    if identities.group_by(IDENTITY, use_threads=False).aggregate([]).num_rows != identities.num_rows:
        raise Moved("a row came twice")
    lines = pa.array(rows, pa.binary())
    keys = table.select(["issueSymbolIdentifier", "summaryTypeCode", "MPID", "firmCRDNumber", "issueName"])
    keys = keys.append_column("line", lines)
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])
    return b"\n".join([header, *(rows[at] for at in order.to_numpy()), b""])


def _check_belonging(table: pa.Table, partition: Partition) -> None:
    expected = {"weekStartDate": str(partition.week_start), "tierIdentifier": partition.tier}
    for name, value in expected.items():
        if pc.unique(table[name]).to_pylist() != [value]:
            raise Moved(f"rows of another {name} than {value} came")
