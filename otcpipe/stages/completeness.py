"""Pure functions that prove that pages make up a partition; checks raise PartitionChanged."""

import re
from decimal import Decimal, InvalidOperation
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.datasets import WEEKLY
from otcpipe.errors import Permanent
from otcpipe.records import Page, Partition
from otcpipe.stages import parse
from otcpipe.text import escapes, identities
from otcpipe.text.columns import REASON
from otcpipe.text.tables import decode_dictionaries

_MIDNIGHT = re.compile(rb"[T ]00:00:00(?:\.0+)?Z?$")
PROOF_COLUMNS = (*WEEKLY.identity, "weekStartDate", "tierIdentifier")


class PartitionChanged(Exception):
    """The partition changed while it was read, or a page was incomplete."""


class TextNotUsable(PartitionChanged):
    """FINRA's text has lines that are not rows, as when a name contains the delimiter; JSON must be read instead."""


def has_only_rows(page: Page, offset: int, limit: int) -> bool:
    """Return whether a page has at most as many lines as rows are possible, each with the columns of the header."""
    separators = page.header.count(b"|")
    return len(page.rows) <= min(limit, max(0, page.total - offset)) and all(
        row.count(b"|") == separators and b"\r" not in row and b"\0" not in row for row in page.rows
    )


def join_pages(pages: list[Page]) -> list[bytes]:
    """Return the rows of pages that overlap by one row; raises PartitionChanged if two pages do not."""
    if any(after.rows[0] != before.rows[-1] for before, after in pairwise(pages)):
        raise PartitionChanged("two pages did not meet in the same row")
    return [*pages[0].rows, *(row for page in pages[1:] for row in page.rows[1:])]


def last_value(page: Page, header: bytes) -> bytes | None:
    """Return the value of a one-row JSON page in the last column of a text header; None if it has no single row."""
    if len(page.rows) != 1:
        return None
    values = dict(zip(page.header.split(b"|"), page.rows[0].split(b"|"), strict=True))
    return escapes.unescape(values.get(header.rpartition(b"|")[2], b"").decode()).encode()


def is_same_value(text: bytes, value: bytes | None) -> bool:
    """Return whether a value in text is the one that JSON has: as text FINRA writes 12.000000, as JSON 12."""
    if value is None:
        return False
    one, other = (_MIDNIGHT.sub(b"", given).lower() for given in (text, value))
    try:
        return one == other or Decimal(one.decode()) == Decimal(other.decode())
    except (InvalidOperation, UnicodeDecodeError):
        return False


def check_columns(header: bytes) -> None:
    """Raise Permanent if a column of the API is missing."""
    columns = header.decode("utf-8", "replace").split("|")
    missing = [name for name in WEEKLY.api_fields if name not in columns]
    if missing:
        raise Permanent(f"FINRA's page lacks the column {', '.join(missing)}.")


def sort_rows(
    header: bytes, rows: list[bytes], partition: Partition, *, is_escaped: bool = False
) -> tuple[bytes, bool]:
    """Return the text sorted by the rows' identities, and whether two well-formed rows have the same identity.

    Raises PartitionChanged for a row of another partition.
    """
    text = escapes.join(header, rows) if is_escaped else b"\n".join([header, *rows, b""])
    if is_escaped:
        header, *rows, _ = text.split(b"\n")
    good = table = parse.rows(text, PROOF_COLUMNS)
    if table[REASON].null_count < table.num_rows:  # which is rare, and needs all columns
        table = parse.rows(text)
        good = table.filter(table[REASON].is_null())
    _check_partition(good, partition)
    del text  # a partition may have 30 MB
    names = ["issueSymbolIdentifier", "summaryTypeCode", "MPID", "firmCRDNumber", "issueName"]
    keys = decode_dictionaries(table.select(names)).append_column("line", pa.array(rows, pa.binary()))
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])
    content = b"\n".join([header, *(rows[at] for at in order.to_numpy()), b""])
    return content, not identities.are_distinct(identities.number_rows(good.select([*WEEKLY.identity])))


def _check_partition(table: pa.Table, partition: Partition) -> None:
    expected = {"weekStartDate": str(partition.week_start), "tierIdentifier": partition.tier}
    for name, value in expected.items():
        if not set(pc.unique(table[name]).to_pylist()) <= {value}:
            raise PartitionChanged(f"a row has another {name} than {value}")
