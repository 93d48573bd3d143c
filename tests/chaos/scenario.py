"""Some weeks of FINRA's life: published, restated, withdrawn from, reverted; and the tables that must come of it."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from otcpipe import metrics
from otcpipe.records import Partition
from otcpipe.weeks import week_ending
from tests.finra_server import Dataset, generated

MONDAYS = [date(2025, 6, 2) + timedelta(days=7 * number) for number in range(3)]
TIERS = ("T1", "T2")
SYMBOLS = {"T1": 8, "T2": 12, "OTCE": 4}
EVERYTHING = [Partition(week_ending(monday), tier) for monday in MONDAYS for tier in TIERS]
RESTATED = [(MONDAYS[0], "T1"), (MONDAYS[2], "T2")]
Query = Callable[[str], list[tuple[Any, ...]]]
Phase = tuple[Callable[[Dataset], None], Sequence[Partition]]  # what FINRA does, and what is asked for then


def dataset() -> Dataset:
    return generated(MONDAYS, SYMBOLS, seed=5)


def publish(_: Dataset) -> None:
    """All is published already."""


def restate(finra: Dataset) -> None:
    for number, key in enumerate(RESTATED):
        finra.restate(key, seed=number)
    finra.withdraw((MONDAYS[1], "T1"), seed=3)


def revert(finra: Dataset) -> None:
    finra.revert(RESTATED[0])
    finra.grow(RESTATED[1], 2, seed=4)


TOUCHED = [Partition(week_ending(monday), tier) for monday, tier in (*RESTATED, (MONDAYS[1], "T1"))]
PHASES: tuple[Phase, ...] = ((publish, EVERYTHING), (restate, TOUCHED), (revert, TOUCHED[:2]))

REVISIONS = """
    select r.week_ending, r.tier, r.symbol, r.product_type, r.mpid, r.firm_crd, i.name, v.name, r.share_volume,
        r.trade_count, r.notional, r.published_on, r.updated_on, b.digest, e.digest
    from otc.volume_record as r
    inner join otc.capture as b on b.capture_id = r.brought_by
    left join otc.capture as e on e.capture_id = r.ended_by
    left join otc.name as i on i.name_id = r.issue_name_id
    left join otc.name as v on v.name_id = r.venue_name_id
"""
CAPTURES = "select distinct week_ending, tier, digest, rows, records, totals, rejects, reconciled from otc.capture"
CURRENT = "select to_jsonb(v) - 'observed_at' - 'raw_key' from otc.venue_volume as v"


def tables(query: Query) -> dict[str, list[str]]:
    """What the tables hold, without what may differ from run to run: ids, moments and how often was looked."""
    asked = {"revisions": REVISIONS, "captures": CAPTURES, "current": CURRENT}
    asked |= {
        metric.name: f"select to_jsonb(m) - 'computed_at' from otc.{metric.name} as m" for metric in metrics.metrics()
    }
    return {name: sorted(map(str, query(text))) for name, text in asked.items()}
