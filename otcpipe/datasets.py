"""What FINRA's weekly dataset is, each fact once: its columns, what identifies a row, its tiers, its summaries.

Schemas, the order of pages, the check for duplicates, reconciliation, publication delays and usual sizes follow from
`WEEKLY`. Only `audit.raw_lines` states some of these facts again, so that a proof does not rest on what it proves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Column:
    """A column as FINRA names it, and as a record does, if it is kept."""

    source: str
    name: str | None = None
    type: str = "text"  # text, number (of a firm), count, shares, dollars or date
    is_dictionary: bool = False  # few distinct values: each is read, checked and written once
    is_required: bool = False  # of a record


@dataclass(frozen=True)
class Tier:
    """A part of the feed with a publication day of its own."""

    name: str
    description: str  # FINRA's, as files have it
    delay: timedelta  # from the Monday of the week to that of the publication
    usual_rows: int  # of an ordinary week, where no median of the tier's own weeks is known


@dataclass(frozen=True)
class Dataset:
    """A dataset of FINRA's query API; `firm_rows` and totals map a summary code to its type of venue."""

    group: str
    endpoint: str
    historic: str  # the endpoint of weeks that have left the first
    tiers: tuple[Tier, ...]
    columns: tuple[Column, ...]  # in the order of the API
    file_order: tuple[str, ...]  # of the website's file
    identity: tuple[str, ...]  # columns that identify a row, in the order in which pages are sorted
    firm_rows: Mapping[str, str]  # summary codes of records: one symbol at one venue
    symbol_totals: Mapping[str, str]  # of one symbol over all venues of a type
    firm_totals: Mapping[str, str]  # of one venue over all symbols
    market_totals: Mapping[str, str]  # of all venues of a type

    @property
    def api_fields(self) -> tuple[str, ...]:
        """FINRA's column names in the order of the API."""
        return tuple(column.source for column in self.columns)

    @property
    def dictionary_columns(self) -> tuple[str, ...]:
        """Columns of few distinct values, which are held as dictionaries."""
        return tuple(column.source for column in self.columns if column.is_dictionary)

    @property
    def identity_names(self) -> tuple[str, ...]:
        """The identity in the names of a record's columns."""
        names = {column.source: column.name for column in self.columns}
        return tuple(name for source in self.identity if (name := names[source]))

    @property
    def venue_types(self) -> Mapping[str, str]:
        """The type of venue by summary code, of records and totals."""
        return {**self.firm_rows, **self.symbol_totals, **self.firm_totals, **self.market_totals}

    @property
    def tier_names(self) -> Mapping[str, str]:
        """FINRA's description of each tier, by its name."""
        return {tier.name: tier.description for tier in self.tiers}


def _by_venue_type(cut: str) -> dict[str, str]:
    return {f"ATS_W_{cut}": "ATS", f"OTC_W_{cut}": "NON_ATS"}


WEEKLY = Dataset(
    group="otcMarket",
    endpoint="weeklySummary",
    historic="weeklySummaryHistoric",
    tiers=(
        Tier("T1", "NMS Tier 1", timedelta(days=21), 72_000),
        Tier("T2", "NMS Tier 2", timedelta(days=35), 168_000),
        Tier("OTCE", "OTC", timedelta(days=35), 24_000),
    ),
    columns=(
        Column("totalWeeklyShareQuantity", "share_volume", "shares", is_required=True),
        Column("issueSymbolIdentifier", "symbol"),
        Column("issueName", "issue_name"),
        Column("lastUpdateDate", "updated_on", "date", is_dictionary=True),
        Column("lastReportedDate", is_dictionary=True),
        Column("tierDescription", is_dictionary=True),
        Column("initialPublishedDate", "published_on", "date", is_dictionary=True),
        Column("tierIdentifier", is_dictionary=True),
        Column("summaryStartDate", is_dictionary=True),
        Column("totalNotionalSum", "notional", "dollars"),
        Column("totalWeeklyTradeCount", "trade_count", "count", is_required=True),
        Column("weekStartDate", is_dictionary=True),
        Column("MPID", "mpid", is_dictionary=True),
        Column("firmCRDNumber", "firm_crd", "number", is_dictionary=True),
        Column("productTypeCode", "product_type", is_dictionary=True),
        Column("marketParticipantName", "venue_name", is_dictionary=True),
        Column("summaryTypeCode", "summary_type", is_dictionary=True, is_required=True),
    ),
    file_order=(
        "tierDescription",
        "issueSymbolIdentifier",
        "issueName",
        "marketParticipantName",
        "MPID",
        "totalWeeklyShareQuantity",
        "totalWeeklyTradeCount",
        "lastUpdateDate",
    ),
    identity=(
        "issueSymbolIdentifier",
        "summaryTypeCode",
        "MPID",
        "firmCRDNumber",
        "issueName",
        "productTypeCode",
        "marketParticipantName",
    ),
    firm_rows=_by_venue_type("SMBL_FIRM"),
    symbol_totals=_by_venue_type("SMBL"),
    firm_totals=_by_venue_type("FIRM"),
    market_totals=_by_venue_type("VOL_STATS"),
)

TIERS = WEEKLY.tier_names
