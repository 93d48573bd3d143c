"""The Arrow tables that text is read into: their schemas, and the rows of a capture by kind."""

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.datasets import WEEKLY

DICTIONARY = pa.dictionary(pa.int32(), pa.string())

ARROW_TYPES = {
    "text": pa.string(),
    "number": pa.int32(),
    "count": pa.int64(),
    "shares": pa.decimal128(20, 6),
    "dollars": pa.decimal128(24, 6),
    "date": pa.date32(),
}  # by `datasets.Column.type`
_COLUMNS = {column.name: column for column in WEEKLY.columns}
_NAMES = ("symbol", "issue_name", "product_type", "mpid", "firm_crd", "venue_name")
_VALUES = ("share_volume", "trade_count", "notional", "published_on", "updated_on")


def _field(name: str) -> pa.Field:
    column = _COLUMNS[name]
    return pa.field(name, ARROW_TYPES[column.type], nullable=not column.is_required)


RECORD = pa.schema(
    [
        pa.field("line", pa.int32(), nullable=False),
        _field("summary_type"),
        pa.field("venue_type", pa.string(), nullable=False),
        *map(_field, _NAMES + _VALUES),
    ]
)
REJECT = pa.schema(
    [
        pa.field("line", pa.int32(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("symbol", pa.string()),  # null where it cannot be determined
        pa.field("lines", pa.int32(), nullable=False),  # 1, except in a last row that counts all further rejects
    ]
)


def decode_dictionaries(table: pa.Table) -> pa.Table:
    """Return the table with its dictionary columns as plain strings."""
    fields = [field.with_type(pa.string()) if field.type == DICTIONARY else field for field in table.schema]
    return table.cast(pa.schema(fields))


@dataclass(frozen=True)
class Normalized:
    """A capture's rows by kind: every line of the bytes is a record, a total or a reject."""

    kept: pa.Table  # records and totals in line order; schema RECORD, but text columns may be dictionaries
    rejects: pa.Table  # schema REJECT

    @cached_property
    def records(self) -> pa.Table:
        """The firm rows, one symbol at one venue each."""
        return decode_dictionaries(self.kept.filter(self._are_records))

    @cached_property
    def totals(self) -> pa.Table:
        """The aggregates that FINRA publishes, used only to check the records."""
        return decode_dictionaries(self.kept.filter(pc.invert(self._are_records)))

    @cached_property
    def _are_records(self) -> pa.ChunkedArray:
        return pc.is_in(pc.cast(self.kept["summary_type"], pa.string()), pa.array([*WEEKLY.firm_rows]))
