"""Values that pass between modules, and the Arrow schemas of the stored tables."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.datasets import WEEKLY

ATTRIBUTION = "Data: FINRA OTC (ATS & Non-ATS) Transparency, finra.org."

# The columns that parse adds to those of FINRA's header.
LINE, REASON, TEXT, SYMBOL = "_line", "_reason", "_text", "_symbol"

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
class Partition:
    """One (week_ending, tier): the unit of work of the pipeline."""

    week_ending: date
    tier: str

    @property
    def week_start(self) -> date:
        """FINRA's weekStartDate: always the Monday, holiday or not."""
        return self.week_ending - timedelta(days=4)


@dataclass(frozen=True)
class Page:
    """FINRA's answer to one request: a header, rows of delimited text, and the total that FINRA reports.

    Rows from JSON are escaped (`otcpipe.text.escapes`). Unlike rows from text, they cannot arrive truncated.
    """

    header: bytes
    rows: tuple[bytes, ...]
    total: int
    request_id: str
    is_escaped: bool = False


@dataclass(frozen=True)
class CompletePartition:
    """A partition proven complete: its text with the header first and the rows sorted, whatever the page size."""

    content: bytes
    total: int
    pages: int
    request_ids: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """The metadata of an observation, stored next to its bytes."""

    source: str  # api or file
    covers: str  # all, or ats: the ATS firm rows only, without product type, notional and first publication
    digest: str  # SHA-256 of the uncompressed bytes
    observed_at: datetime
    record_total: int | None = None
    pages: int | None = None
    request_ids: tuple[str, ...] = ()


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


@dataclass(frozen=True)
class StageResult:
    """What a stage returns: the key for the next stage, its capture (None before one exists) and counts to log.

    If the key is None, no stage follows, and `reason` says why.
    """

    key: str | None
    generation: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    reason: str | None = None
