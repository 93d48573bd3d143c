"""Parse: bytes to rows of text. A line that is not a row is kept with its reason, so that nothing is dropped."""

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.datasets import TIERS
from otcpipe.text import dialect, quoted, unquoted
from otcpipe.text.columns import LINE, REASON, SYMBOL, TEXT
from otcpipe.text.dialect import Dialect
from otcpipe.text.lines import Malformed
from otcpipe.text.tables import decode_dictionaries

TIER_NAMES = {*TIERS, *TIERS.values()}
added_columns = dialect.added_columns
_SYMBOL = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,14}")


def rows(content: bytes, names: Sequence[str] = ()) -> pa.Table:
    """Return one row for each line of FINRA's delimited text below the header, in line order, all columns text.

    Columns of few distinct values may be dictionaries (`records.decode_dictionaries`). `_line` counts from 1, the
    first line of the file; a row that contains line breaks has the number of its first line. A malformed line has its
    `_reason`, its `_text`, the `_symbol` that it seems to have, and nulls elsewhere. Blank lines at the end are
    ignored. Raises Invalid if the bytes are not FINRA's text. With `names`, columns other than these may be left out,
    and a line that is empty but for them counts as empty.
    """
    source = dialect.detect(content)
    table, malformed = quoted.read(source) if source.is_quoted else unquoted.read(source, names)
    table = _add_malformed(table, malformed, source)
    return _shift_lines(table, source.lines_above) if source.lines_above else table


def _add_malformed(table: pa.Table, malformed: list[Malformed], source: Dialect) -> pa.Table:
    for name in (REASON, TEXT, SYMBOL):
        table = table.append_column(name, pa.nulls(table.num_rows, pa.string()))
    if not malformed:
        return table
    bad = pa.table(
        {
            LINE: pa.array([one.line for one in malformed], pa.int32()),
            REASON: pa.array([one.reason for one in malformed], pa.string()),
            TEXT: pa.array([one.text for one in malformed], pa.string()),
            SYMBOL: pa.array([_symbol(one.text, source) for one in malformed], pa.string()),
        }
    )
    good = decode_dictionaries(table.filter(pc.invert(pc.is_in(table[LINE], bad[LINE]))))
    return pa.concat_tables([good, bad], promote_options="default").sort_by(LINE)


def _symbol(text: str, source: Dialect) -> str | None:
    """Return the value in a malformed line's symbol column if it looks like a symbol and the tier is in its own."""
    at, tier_at = (source.columns.index(name) for name in ("issueSymbolIdentifier", "tierDescription"))
    values = [value.strip('"') for value in text.split(source.delimiter)]
    if len(values) <= at or (tier_at < at and values[tier_at] not in TIER_NAMES):
        return None
    return values[at] if _SYMBOL.fullmatch(values[at]) else None


def _shift_lines(table: pa.Table, lines: int) -> pa.Table:
    """Return the rows with line numbers raised by the number of lines above the header."""
    return table.set_column(0, LINE, pc.add(table[LINE], pa.scalar(lines, pa.int32())))
