"""The values that pass between modules, and the columns of every table and Parquet file."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.datasets import WEEKLY

ATTRIBUTION = "Data: FINRA OTC (ATS & Non-ATS) Transparency, finra.org."

LINE, REASON, TEXT, SYMBOL = (
    "_line",
    "_reason",
    "_text",
    "_symbol",
)  # what parse adds to the columns of FINRA's header

WORD = pa.dictionary(pa.int32(), pa.string())

ARROW_TYPES = {
    "text": pa.string(),
    "number": pa.int32(),
    "count": pa.int64(),
    "shares": pa.decimal128(20, 6),
    "dollars": pa.decimal128(24, 6),
    "date": pa.date32(),
}  # of `datasets.Column.type`
_COLUMNS = {column.name: column for column in WEEKLY.columns}
_KEPT = (
    "symbol",
    "issue_name",
    "product_type",
    "mpid",
    "firm_crd",
    "venue_name",
    "share_volume",
    "trade_count",
    "notional",
    "published_on",
    "updated_on",
)


def _field(name: str) -> pa.Field:
    column = _COLUMNS[name]
    return pa.field(name, ARROW_TYPES[column.type], nullable=not column.is_required)


RECORD = pa.schema(
    [
        pa.field("line", pa.int32(), nullable=False),
        _field("summary_type"),
        pa.field("venue_type", pa.string(), nullable=False),
        *map(_field, _KEPT),
    ]
)
REJECT = pa.schema(
    [
        pa.field("line", pa.int32(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("symbol", pa.string()),  # where it can be determined
        pa.field("lines", pa.int32(), nullable=False),  # how many the row stands for: 1 but in the last row of many
    ]
)


def decode_dictionaries(table: pa.Table) -> pa.Table:
    """The table with its dictionaries spelled out."""
    fields = [field.with_type(pa.string()) if field.type == WORD else field for field in table.schema]
    return table.cast(pa.schema(fields))


@dataclass(frozen=True)
class Partition:
    """One (week_ending, tier): the unit of work."""

    week_ending: date
    tier: str

    @property
    def week_start(self) -> date:
        """FINRA's weekStartDate: always the Monday, holiday or not."""
        return self.week_ending - timedelta(days=4)


@dataclass(frozen=True)
class Page:
    """What one request to FINRA gave: rows of delimited text under their header, and the total that it claims.

    Rows of JSON are escaped (`otcpipe.text.escapes`), and none of them can be cut.
    """

    header: bytes
    rows: tuple[bytes, ...]
    total: int
    request_id: str
    is_escaped: bool = False


@dataclass(frozen=True)
class CompletePartition:
    """A partition proven complete: its text, header first, its rows in one order whatever the pages were."""

    content: bytes
    total: int
    pages: int
    request_ids: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """What is known of an observation beside its bytes."""

    source: str  # api or file
    covers: str  # all, or ats: the ATS firm rows only, without product type, notional and first publication
    digest: str  # SHA-256 of the uncompressed bytes
    observed_at: datetime
    record_total: int | None = None
    pages: int | None = None
    request_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Normalized:
    """A capture's rows, sorted out: every line of the bytes is a record, a total or a reject."""

    kept: pa.Table  # of RECORD, whose words may be dictionaries; records and totals in the order of their lines
    rejects: pa.Table  # of REJECT

    @cached_property
    def records(self) -> pa.Table:
        """The firm rows."""
        return decode_dictionaries(self.kept.filter(self._are_records))

    @cached_property
    def totals(self) -> pa.Table:
        """The published aggregates."""
        return decode_dictionaries(self.kept.filter(pc.invert(self._are_records)))

    @cached_property
    def _are_records(self) -> pa.ChunkedArray:
        return pc.is_in(pc.cast(self.kept["summary_type"], pa.string()), pa.array([*WEEKLY.firm_rows]))


@dataclass(frozen=True)
class StageResult:
    """What a stage hands on: a key, the capture from which it stems once there is one, and counts to show.

    Without a key nothing follows, and the reason says why.
    """

    key: str | None
    generation: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    reason: str | None = None
