"""Values that pass between modules."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

ATTRIBUTION = "Data: FINRA OTC (ATS & Non-ATS) Transparency, finra.org."


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
    has_repeats: bool = False  # two rows have one identity


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
class StageResult:
    """What a stage returns: the key for the next stage, its capture (None before one exists) and counts to log.

    If the key is None, no stage follows, and `reason` says why.
    """

    key: str | None
    generation: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    reason: str | None = None
