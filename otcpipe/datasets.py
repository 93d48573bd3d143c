"""FINRA's weekly dataset, each fact once: its columns, the identity of a row, its tiers and summary codes.

Schemas, page order, the duplicate check, reconciliation, publication delays and usual sizes follow from `WEEKLY`.
Only `audit.raw_lines` repeats some of these facts, so that a proof does not depend on the code that it checks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Column:
    """A column: FINRA's name for it, and the name in a record, None if records do not have it."""

    source: str
    name: str | None = None
    type: str = "text"  # text, number (of a firm), count, shares, dollars or date
    is_dictionary: bool = False  # few distinct values, each of which is parsed and checked once
    is_required: bool = False  # in a record


@dataclass(frozen=True)
class Tier:
    """A part of the feed with its own publication day."""

    name: str
    description: str  # FINRA's name, as in the website's files
    delay: timedelta  # from the Monday of the week to the Monday of its publication
    usual_rows: int  # in an ordinary week, used until the tier has enough weeks for a median


@dataclass(frozen=True)
class Dataset:
    """A dataset of FINRA's query API; `firm_rows` and the totals map summary codes to venue types."""

    group: str
    endpoint: str
    historic: str  # the endpoint of weeks that `endpoint` no longer has
    tiers: tuple[Tier, ...]
    columns: tuple[Column, ...]  # in the order of the API
    file_order: tuple[str, ...]  # in the website's file
    identity: tuple[str, ...]  # the columns that identify a row, in the sort order of pages
    firm_rows: Mapping[str, str]  # summary codes of records: one symbol at one venue
    symbol_totals: Mapping[str, str]  # one symbol over all venues of a type
    firm_totals: Mapping[str, str]  # one venue over all symbols
    market_totals: Mapping[str, str]  # all symbols and venues of a type

    @property
    def api_fields(self) -> tuple[str, ...]:
        """FINRA's column names, in the order of the API."""
        return tuple(column.source for column in self.columns)

    @property
    def dictionary_columns(self) -> tuple[str, ...]:
        """FINRA's names of the columns that are held as Arrow dictionaries."""
        return tuple(column.source for column in self.columns if column.is_dictionary)

    @property
    def identity_names(self) -> tuple[str, ...]:
        """The identity in a record's column names."""
        names = {column.source: column.name for column in self.columns}
        return tuple(name for source in self.identity if (name := names[source]))

    @property
    def venue_types(self) -> Mapping[str, str]:
        """The venue type of every summary code, of records and totals."""
        return {**self.firm_rows, **self.symbol_totals, **self.firm_totals, **self.market_totals}

    @property
    def tier_names(self) -> Mapping[str, str]:
        """FINRA's description of each tier, by tier name."""
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
ALL_TIERS = "ALL_TIERS"  # all three together, of a metric
SCOPES = ("ATS", "NON_ATS", "ALL")  # the venues of a metric
