"""Histories through the real pipeline, and the metrics' tables as it leaves them."""

import os
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from random import Random

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from otcpipe import resources
from otcpipe.datasets import TIERS, WEEKLY
from otcpipe.metrics import catalog, completion
from otcpipe.pipeline import definition
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage import keys
from tests.metrics.generate import History
from tests.metrics.records import Loaded, Record, Row
from tests.support.pipeline import accept, api_text, drive, observe

SUMMARY = {"ATS": "ATS_W_SMBL_FIRM", "NON_ATS": "OTC_W_SMBL_FIRM"}


def load(history: History, seed: int = 0, names: Iterable[str] | None = None) -> dict[str, list[Row]]:
    """Capture the partitions in random order, in several goes; all rows of each metric, or of some."""
    random = Random(seed)
    places = sorted(history.loaded)
    random.shuffle(places)
    goes = 1 + random.randrange(3)
    for go in range(goes):
        drive(*[_observe(history.records, history.loaded, Partition(*place)) for place in places[go::goes]])
        _accept_empty()
    return tables(None, names)


def tables(at: datetime | None = None, names: Iterable[str] | None = None) -> dict[str, list[Row]]:
    """The rows of all metrics and derived tables, or of some, in one order; as known at a moment, or now."""
    completion.complete(resources.database())
    stored, known = sql.SQL("select * from otc.{}"), sql.SQL("select * from otc.{}_as_of(%(at)s)")
    sources = dict.fromkeys(catalog.tables(), stored if at is None else known)
    del sources[catalog.RECORDS]
    sources |= {name: known for name, table in catalog.tables().items() if table.is_derived}
    sources = {name: source for name, source in sources.items() if names is None or name in set(names)}
    with psycopg.connect(os.environ["OTCPIPE_DATABASE_URL"], row_factory=dict_row) as connection:
        return {
            name: ordered(connection.execute(source.format(sql.SQL(name)), {"at": at}).fetchall())
            for name, source in sources.items()
        }


def ordered(rows: Iterable[Row]) -> list[Row]:
    kept = ({name: value for name, value in row.items() if name != "computed_at"} for row in rows)
    return sorted(kept, key=lambda row: [str(value) for value in row.values()])


def _accept_empty() -> None:
    """Load a history; partitions without a record are intended."""
    with psycopg.connect(os.environ["OTCPIPE_DATABASE_URL"]) as connection:
        held = connection.execute("select key, generation from otc.stage_run where state = 'held'").fetchall()
    for text, generation in held:
        key = keys.parse(text, resources.settings()["S3_PREFIX"])
        accept(key.partition)
        drive(Run(definition.named("compute"), key, generation, request="accepted"))


def _observe(records: list[Record], loaded: Loaded, partition: Partition) -> Run:
    own = [
        record for record in records if (record.week_ending, record.tier) == (partition.week_ending, partition.tier)
    ]
    if loaded[partition.week_ending, partition.tier] == "ats":
        return observe(_file(own), partition, covers="ats")
    return observe(_api(own, partition), partition, covers="all")


def _api(records: list[Record], partition: Partition) -> bytes:
    """The API's text: firm rows, and a total that counts for nothing."""
    total = {"summaryTypeCode": "ATS_W_SMBL", "MPID": "", "marketParticipantName": "", "productTypeCode": ""}
    return api_text([total, *(_api_row(record) for record in records)], partition)


def _api_row(record: Record) -> dict[str, str]:
    row = {
        "totalWeeklyShareQuantity": record.share_volume,
        "issueSymbolIdentifier": record.symbol,
        "issueName": record.issue_name,
        "totalNotionalSum": record.notional,
        "totalWeeklyTradeCount": record.trade_count,
        "MPID": record.mpid,
        "firmCRDNumber": record.firm_crd,
        "productTypeCode": record.product_type,
        "marketParticipantName": record.venue_name,
    }
    texts = {name: "" if value is None else _plain(value) for name, value in row.items()}
    return texts | {"summaryTypeCode": SUMMARY[record.venue_type]}


def _plain(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _file(records: list[Record]) -> bytes:
    rows = [
        (
            TIERS[record.tier],
            record.symbol or "",
            record.issue_name or "",
            record.venue_name or "",
            record.mpid or "",
            f"{record.share_volume:f}",
            record.trade_count,
            "2025-12-15",
        )
        for record in records
    ]
    return "".join("|".join(map(str, row)) + "\n" for row in [WEEKLY.file_order, *rows]).encode()
