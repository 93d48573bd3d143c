"""Generate weeks of full size and realistic shape; they are kept in files between runs."""

import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

from otcpipe.datasets import TIERS, WEEKLY
from otcpipe.records import Partition
from otcpipe.stages.completeness import sort_rows
from otcpipe.storage.keys import sha256
from otcpipe.weeks import week_ending
from tests.finra_server.generate import cached
from tests.finra_server.roster import FULL, SMALL

HERE = Path(__file__).parents[2] / ".bench"
FIRST = date(2021, 11, 1)  # so that 249 weeks are past
HEADER = "|".join(WEEKLY.api_fields)
DATE = re.compile(r"20\d\d-\d\d-\d\d")


def monday(number: int) -> date:
    return FIRST + timedelta(days=7 * number)


def partitions(number: int) -> list[Partition]:
    return [Partition(week_ending(monday(number)), tier) for tier in TIERS]


def content(partition: Partition, *, is_small: bool, changed: int = 0) -> bytes:
    """Return a partition's text as the fetch stage makes it; `changed` rows have another trade count.

    Every week is the first one with its dates moved, which is quick and keeps the shape.
    """
    lines = cached(HERE, FIRST, partition.tier, (SMALL if is_small else FULL)[partition.tier])
    step = max(len(lines) // changed, 1) if changed else 0
    if step:
        lines = [_traded_more(line) if at % step == 0 else line for at, line in enumerate(lines)]
    first = Partition(week_ending(FIRST), partition.tier)
    text = sort_rows(HEADER.encode(), [line.encode() for line in lines], first)[0].decode()
    moved = partition.week_start - FIRST
    for day in (
        sorted({*DATE.findall(text)}, reverse=True) if moved else ()
    ):  # the latest first, lest one is moved twice
        text = text.replace(day, str(date.fromisoformat(day) + moved))
    return text.encode()


def contents(number: int, *, is_small: bool, changed: int = 0) -> dict[Partition, bytes]:
    """Return the texts of a week's partitions."""
    return {one: content(one, is_small=is_small, changed=changed) for one in partitions(number)}


def busiest(*, is_small: bool) -> str:
    """Return the symbol of tier 1 with the most rows."""
    lines = cached(HERE, FIRST, "T1", (SMALL if is_small else FULL)["T1"])
    place = WEEKLY.api_fields.index("issueSymbolIdentifier")
    symbols = Counter(line.split("|")[place] for line in lines)
    del symbols[""]  # totals of the tier
    return symbols.most_common(1)[0][0]


def _traded_more(line: str) -> str:
    values = line.split("|")
    place = WEEKLY.api_fields.index("totalWeeklyTradeCount")
    values[place] = str(int(values[place]) + 1)
    return "|".join(values)


def rows(text: bytes) -> int:
    return text.count(b"\n") - 1


def size(number: int, *, is_small: bool) -> int:
    """Return the number of rows of a week."""
    return sum(map(rows, contents(number, is_small=is_small).values()))


def digest(text: bytes) -> str:
    return sha256(text)
