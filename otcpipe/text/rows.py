"""Rows on their way to records: typed columns, and for each row the first reason against it."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.datasets import WEEKLY
from otcpipe.records import LINE, REASON, REJECT, SYMBOL, TEXT, decode_dictionaries
from otcpipe.text.limits import MAX_REJECTS
from otcpipe.text.values import Day, Number

_ADDED = (LINE, REASON, TEXT, SYMBOL)  # columns that parse adds

Spread = Callable[[pa.Array], pa.Array]


def words_of(column: pa.Array) -> tuple[pa.Array, Spread]:
    """The words of a column, and what spreads values made of them over its rows; null where there is no word."""
    if pa.types.is_dictionary(column.type):
        return column.dictionary, lambda values: pc.take(values, column.indices)
    return column, lambda values: pc.if_else(pc.is_valid(column), values, None)


class Rows:
    """The rows on their way: typed columns, and for each row the first reason against it."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.reason = table[REASON].combine_chunks()

    def text(self, name: str) -> pa.Array:
        """The column as it stands; those of few words as dictionaries."""
        if name not in self.table.column_names:
            return pa.nulls(self.table.num_rows, pa.string())
        column = self.table[name].combine_chunks()
        is_plain = name in WEEKLY.dictionary_columns and not pa.types.is_dictionary(column.type)
        return column.dictionary_encode() if is_plain else column

    def reject(self, wrong: pa.Array, reason: str) -> None:
        if not pc.any(wrong).as_py():
            return
        blamed = pc.if_else(pc.fill_null(wrong, False), pa.scalar(reason), pa.scalar(None, pa.string()))
        self.reason = pc.coalesce(self.reason, blamed)

    def typed(self, name: str, kind: Number | Day, *, needed: bool = False) -> pa.Array:
        """The column's values; a row whose text does not fit is set aside."""
        text = self.text(name)
        words, spread = words_of(text)
        values, fits = kind.read(words)
        self.reject(spread(pc.invert(fits)), f"{name} {kind.reason}")
        if needed:
            self.reject(pc.is_null(text), f"{name} is missing")
        return spread(values)

    def rejects(self, bad: pa.Array) -> pa.Table:
        """The rows set aside: `MAX_REJECTS` one by one, and one more that stands for the rest."""
        found = self.table.append_column("reason", self.reason).filter(bad)
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


def differs(column: pa.Array, *expected: str, read: Callable[[pa.Array], pa.Array] = lambda words: words) -> pa.Array:
    words, spread = words_of(column)
    return pc.fill_null(spread(pc.invert(pc.is_in(read(words), pa.array(expected)))), True)
