"""Short hands for examples: ATS and non-ATS rows of one week."""

from datetime import date
from decimal import Decimal
from typing import Any

from tests.metrics.generate import History, covered
from tests.metrics.records import DE_MINIMIS, Loaded, Record, Row

WEEK = date(2025, 11, 14)
WORLDS = [*range(6), "files"]


def ats(symbol: str | None, volume: object, mpid: str = "AAAA", **more: Any) -> Record:
    whole: dict[str, Any] = {"week_ending": WEEK, "tier": "T1", "trade_count": 1, "venue_name": f"{mpid} POOL"}
    return Record(venue_type="ATS", symbol=symbol, share_volume=Decimal(str(volume)), mpid=mpid, **(whole | more))


def firm(symbol: str | None, volume: object, crd: int | None = 1, **more: Any) -> Record:
    whole: dict[str, Any] = {"week_ending": WEEK, "tier": "T1", "trade_count": 1, "venue_name": f"FIRM {crd}"}
    return Record(
        venue_type="NON_ATS", symbol=symbol, share_volume=Decimal(str(volume)), firm_crd=crd, **(whole | more)
    )


def de_minimis(symbol: str | None, volume: object, crd: int | None = None, **more: Any) -> Record:
    return firm(symbol, volume, crd, venue_name=DE_MINIMIS, **more)


def told(records: list[Record], loaded: Loaded | None = None) -> History:
    """The records' partitions captured from the API, and others as given."""
    return covered(records, {(record.week_ending, record.tier): "all" for record in records} | dict(loaded or {}))


def only(rows: list[Row], **values: object) -> Row:
    """The one row with these values."""
    found = matching(rows, **values)
    assert len(found) == 1, f"{len(found)} rows with {values}"
    return found[0]


def matching(rows: list[Row], **values: object) -> list[Row]:
    return [row for row in rows if values.items() <= row.items()]
