"""Where the partitions of a dataset come from: a seed, or a record of real ones."""

import csv
import gzip
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from .dataset import Dataset, Key
from .generate import cached, generate, market_wide, stray_nms
from .roster import SMALL
from .rows import FIELDS, to_line, with_values

STRAY = (date(2023, 11, 6), "NMS")


def generated(
    weeks: Iterable[date],
    symbols: Mapping[str, int] = SMALL,
    *,
    seed: int = 0,
    folder: Path | None = None,
    today: date | None = None,
    historic_before: date | None = None,
) -> Dataset:
    """A dataset of lazy weeks (`symbols=FULL` for real size) with FINRA's strays: tier `NA`, and one `NMS`.

    With a folder the weeks are kept there in files, and the next start is quick.
    """
    made = Dataset(today=today, historic_before=historic_before)
    for week in weeks:
        for tier, count in symbols.items():
            make = partial(cached, folder) if folder else generate
            made.put_lazy((week, tier), partial(make, week, tier, count, seed))
        made.put_lazy((week, "NA"), partial(_market_wide, made, week, tuple(symbols)))
    made.put_lazy(STRAY, lambda: stray_nms(generate(STRAY[0], "T1", 20, seed)))
    return made


def _market_wide(dataset: Dataset, week: date, tiers: Sequence[str]) -> list[str]:
    return market_wide(week, [dataset.partition((week, tier)).lines for tier in tiers])


def recorded(path: Path) -> dict[Key, list[str]]:
    """The recorded ATS totals of AAPL and BRK.B, each with one firm row of the same amounts, by partition."""
    held: dict[Key, list[str]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for facts in csv.DictReader(file):
            week = facts["weekStartDate"]
            values = {
                **facts,
                "tierIdentifier": "T1",
                "summaryStartDate": week,
                "summaryTypeCode": "ATS_W_SMBL",
            }
            total = tuple(values.get(name) for name in FIELDS)
            firm = with_values(
                total,
                MPID="UBSA",
                marketParticipantName="UBSA UBS ATS",
                summaryTypeCode="ATS_W_SMBL_FIRM",
            )
            held.setdefault((date.fromisoformat(week), "T1"), []).extend([to_line(total), to_line(firm)])
    return held
