"""Convert columns of text to typed ones and collect, for each row, the first reason to reject it."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.datasets import WEEKLY
from otcpipe.text.columns import LINE, REASON, SYMBOL, TEXT
from otcpipe.text.limits import MAX_REJECTS
from otcpipe.text.tables import REJECT, decode_dictionaries
from otcpipe.text.values import Day, Number

_ADDED = (LINE, REASON, TEXT, SYMBOL)  # by parse

Expand = Callable[[pa.Array], pa.Array]


def distinct_texts(column: pa.Array) -> tuple[pa.Array, Expand]:
    """Return the texts to convert, and a function that expands the results to the rows, null for a null.

    A dictionary column has one text for each distinct value, another column one for each row.
    """
    if pa.types.is_dictionary(column.type):
        return column.dictionary, lambda values: pc.take(values, column.indices)
    return column, lambda values: pc.if_else(pc.is_valid(column), values, None)


class Rows:
    """The rows of a parsed table, and for each row the first reason to reject it (null: none)."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.reason = table[REASON].combine_chunks()

    def text(self, name: str) -> pa.Array:
        """Return a column as text, as a dictionary if it has few distinct values; all nulls if the table lacks it."""
        if name not in self.table.column_names:
            return pa.nulls(self.table.num_rows, pa.string())
        column = self.table[name].combine_chunks()
        must_encode = name in WEEKLY.dictionary_columns and not pa.types.is_dictionary(column.type)
        return column.dictionary_encode() if must_encode else column

    def reject(self, is_wrong: pa.Array, reason: str) -> None:
        """Reject the rows that are wrong, unless they have an earlier reason; null counts as not wrong."""
        if not pc.any(is_wrong).as_py():
            return
        reasons = pc.if_else(pc.fill_null(is_wrong, False), pa.scalar(reason), pa.scalar(None, pa.string()))
        self.reason = pc.coalesce(self.reason, reasons)

    def typed(self, name: str, kind: Number | Day, *, is_required: bool = False) -> pa.Array:
        """Return the typed values of a column; rejects rows whose text does not fit, or is missing if required."""
        text = self.text(name)
        texts, expand = distinct_texts(text)
        values, fits = kind.read(texts)
        self.reject(expand(pc.invert(fits)), f"{name} {kind.reason}")
        if is_required:
            self.reject(pc.is_null(text), f"{name} is missing")
        return expand(values)

    def rejects(self, is_rejected: pa.Array) -> pa.Table:
        """Return the rejected rows: up to `MAX_REJECTS` one by one, and a last row that counts the rest."""
        found = self.table.append_column("reason", self.reason).filter(is_rejected)
        rest = found.num_rows - MAX_REJECTS
        table = decode_dictionaries(found[:MAX_REJECTS])
        fields = [pc.fill_null(table[name], "") for name in self.table.column_names if name not in _ADDED]
        text = pc.coalesce(table[TEXT], pc.binary_join_element_wise(*fields, "|"))
        symbol = table["issueSymbolIdentifier"]
        if SYMBOL in table.column_names:
            symbol = pc.coalesce(symbol, table[SYMBOL])
        ones = pa.repeat(pa.scalar(1, pa.int32()), table.num_rows)
        kept = pa.table([table[LINE], table["reason"], text, symbol, ones], schema=REJECT)
        if rest <= 0:
            return kept
        more = [
            found[LINE][MAX_REJECTS : MAX_REJECTS + 1],
            [f"{rest:,} more lines were set aside"],
            [""],
            [None],
            [rest],
        ]
        return pa.concat_tables([kept, pa.table(more, schema=REJECT)])


def differs(column: pa.Array, *expected: str, read: Callable[[pa.Array], pa.Array] = lambda texts: texts) -> pa.Array:
    """Return, for each row, whether its text as `read` converts it is none of the expected ones; true for a null."""
    texts, expand = distinct_texts(column)
    return pc.fill_null(expand(pc.invert(pc.is_in(read(texts), pa.array(expected)))), True)
