"""Small made-up histories, each with many traps: what was published, and which partitions were captured how."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from random import Random

from tests.metrics.records import DE_MINIMIS, TIERS, WEEK, Loaded, Record

Member = tuple[str, str | None, int | None, str | None]  # venue type, MPID, number, name
ATS: list[Member] = [
    *[("ATS", f"AT{letter}S", None, f"AT{letter}S POOL") for letter in "ABCDEFGHIJ"],
    ("ATS", "ATAS", None, "ATAS POOL BY BANK"),  # renamed within the week
    ("ATS", "ATBS", 55, "ATBS POOL"),  # with its number on some rows
    ("ATS", "ATCS", 56, "ATCS AND SONS"),  # both
]
FIRMS: list[Member] = [
    ("NON_ATS", None, 101, "FIRM ONE LLC"),
    ("NON_ATS", None, 102, "FIRM TWO, INC."),
    ("NON_ATS", None, 103, "FIRM THREE"),
    ("NON_ATS", None, None, "FIRM WITHOUT NUMBER"),
    ("NON_ATS", None, None, "ANOTHER WITHOUT NUMBER"),
]
UNNAMED: list[Member] = [
    ("NON_ATS", None, 0, DE_MINIMIS),
    ("NON_ATS", None, None, DE_MINIMIS),
    ("NON_ATS", None, 0, "OTHERS"),
    ("NON_ATS", None, None, None),
    ("ATS", None, None, None),  # an ATS that FINRA does not name yet
    ("ATS", None, None, None),
]
LATER_NAME = "FIRM ONE HOLDINGS LLC"  # of 101, on some rows
HOMES: dict[str | None, list[tuple[str, ...]]] = {  # symbol: the tiers that it may be on in a week
    **{symbol: [("T1",)] for symbol in ("AAPL", "BRK.B", "F", "KKR$D")},
    **{symbol: [("T1", "T2")] for symbol in ("BOTH", "BOTH.U", "ON")},
    **{symbol: [("T1",), ("T2",), ("T1", "T2")] for symbol in ("MOVE", "MOVE.W", "NAT")},
    **{symbol: [("T2",), ("OTCE",)] for symbol in ("NA", "NAN", "TY$")},
    **{symbol: [("OTCE",)] for symbol in ("abc", "AABB")},
    **{symbol: [("OTCE",), ("T2", "OTCE")] for symbol in ("ABC", "ABCD")},
    None: [("T1",), ("OTCE",)],
}
SHAPES: list[tuple[list[int], int]] = [  # the venues' volumes against each other, and the unnamed firms' volume
    ([1] * 4, 0),  # an index of just 2500
    ([5, 3, 3, 2, 2, 2, 2, 1], 0),  # 1500
    ([3, 2, 1, 1, 1, 1, 1], 0),  # 1800
    ([1] * 10, 0),  # 1000
    ([2, 2, 1, 1], 4),  # 1000 and, were the unnamed one firm, 2600
    ([3, 2, 1, 1], 3),  # 1500, 2400
    ([999, 1001], 0),  # 5000.005
    ([7, 7, 5, 5, 5], 1),
    ([1], 0),
    ([0, 0], 0),
    ([3, 0], 1),
    ([], 1),
]
UNITS = [Decimal(text) for text in ("1", "100", "1234.567891", "0.000001", "33.333333")]


@dataclass(frozen=True)
class History:
    """Records of captured partitions only, as far as the captures cover them; and those partitions."""

    records: list[Record]
    loaded: Loaded


def history(seed: int) -> History:
    """Every fourth history is long enough for whole windows and comparisons; the others are two weeks."""
    random = Random(seed)
    start = date(2025, 1, 3) + random.randrange(60) * WEEK
    weeks = [start + number * WEEK for number in ((0, 1) if seed % 4 else (*range(7), 13, 17))]
    completeness, of_api = [(1, 1), (0.9, 0.75)][seed // 4 % 2]
    loaded = {
        (week, tier): "all" if random.random() < of_api else "ats"
        for week in weeks
        for tier in TIERS
        if random.random() < completeness
    }
    published = [record for week in weeks for record in _week(random, week)]
    if completeness < 1 and len(weeks) > 2:
        gap = random.choice(weeks)
        loaded = {key: covers for key, covers in loaded.items() if key[0] != gap}
    return covered(published, loaded)


def covered(published: list[Record], loaded: Loaded) -> History:
    """Return what the captures hold of all that was published; a file also lacks products and notionals."""
    records: dict[tuple[object, ...], Record] = {}
    for record in published:
        coverage = loaded.get((record.week_ending, record.tier))
        if coverage == "ats" and record.venue_type == "ATS":
            record = replace(record, firm_crd=None, product_type=None, notional=None)  # noqa: PLW2901
        if coverage == "all" or (coverage == "ats" and record.venue_type == "ATS"):
            records.setdefault(_identity(record), record)  # a second row of one identity would be a reject
    return History(list(records.values()), loaded)


def _week(random: Random, week: date) -> list[Record]:
    edge = Record(week, "T1", "ATS", "EDGE", Decimal(9 + 2 * (week.toordinal() // 7 % 2)), 10, *ATS[0][1:])
    records = [edge]  # 10 % above and below the mean of six weeks, exactly
    for symbol, homes in HOMES.items():
        if random.random() < 0.8:
            for tier in random.choice(homes):
                records += _symbol(random, Record(week, tier, "", symbol, Decimal(0), 0))
    return records


def _symbol(random: Random, blank: Record) -> list[Record]:
    """A symbol's rows on one tier in one week; venues come and go from week to week."""
    shape, unnamed = random.choice(SHAPES)
    unit, pool = random.choice(UNITS), random.choice([ATS, ATS + FIRMS, ATS[:5] + FIRMS])
    sides = zip(random.sample(pool, min(len(shape), len(pool))), shape, strict=False)
    rows = []
    for (venue_type, mpid, crd, name), size in [*sides, *([(random.choice(UNNAMED), unnamed)] if unnamed else [])]:
        row = replace(blank, venue_type=venue_type, mpid=mpid, firm_crd=crd, venue_name=name)
        rows += _split(random, row, size * unit)
    return rows


def _split(random: Random, row: Record, volume: Decimal) -> list[Record]:
    """A venue's volume in one row, or in two: of two products, or after a change of the issue's name."""
    row = replace(row, issue_name=f"{row.symbol} Common Stock", product_type="UTP")
    first = (volume / 3).quantize(Decimal("0.000001")) if random.random() < 0.3 else volume
    other = random.choice(
        [replace(row, product_type="CTS"), replace(row, issue_name=f"{row.symbol} & Co., 5% Notes")]
    )
    rows = [replace(row, share_volume=first), replace(other, share_volume=volume - first)]
    return [
        replace(
            part,
            venue_name=LATER_NAME if part.firm_crd == 101 and random.random() < 0.3 else part.venue_name,
            trade_count=random.choice([0, 1, 2, 3, 7, 100]) if part.share_volume else 0,
            notional=None if random.random() < 0.05 else Decimal(random.randrange(10**9)) / 1000,
        )
        for part in rows[: 1 if first == volume else 2]
    ]


def _identity(record: Record) -> tuple[object, ...]:
    """What makes a row of FINRA's one of its kind."""
    place = (record.week_ending, record.tier, record.venue_type, record.symbol)
    return (*place, record.issue_name, record.product_type, record.mpid, record.firm_crd, record.venue_name)
