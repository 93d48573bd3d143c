"""FINRA's website files: which tier and week a file tells of. The file itself names no week. FINRA.md 4."""

from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe import normalize, parse
from otcpipe.errors import Invalid
from otcpipe.records import REASON, Partition
from otcpipe.weeks import parse_tier, published_on, week_published_on


@dataclass(frozen=True)
class Download:
    """A file that was read: its tier, the first and last date that its rows carry, its lines of rows."""

    tier: str
    first_update: date
    last_update: date
    lines: int


def read(content: bytes) -> Download:
    """Look into a file's bytes; raises Invalid, saying why, when they are not a website file with usable rows."""
    table = parse.rows(content)
    if not normalize.is_download(table):
        raise Invalid("This is the API's text; only files from FINRA's website can be imported.")
    well_formed = table.filter(table[REASON].is_null())
    tiers = pc.unique(well_formed["tierDescription"]).drop_null().to_pylist()
    if len(tiers) != 1:
        raise Invalid(f"The file must hold one tier; it holds {', '.join(sorted(tiers)) or 'none'}.")
    tier = parse_tier(tiers[0])
    days = _usable(table, tier)["updated_on"]
    if not len(days):
        raise Invalid("The file has no usable row.")
    return Download(tier, pc.min(days).as_py(), pc.max(days).as_py(), table.num_rows)


def place(download: Download, week: date | None) -> tuple[Partition, str]:
    """The partition of a file, and the reason in words; raises Invalid on doubt or contradiction."""
    first, last, tier = download.first_update, download.last_update, download.tier
    if week is not None:
        published = published_on(week, tier)
        if first < published:
            raise Invalid(
                f"The file has rows of {first}, but tier {tier} of the week ending {week} was first published on "
                f"{published}."
            )
        return Partition(week, tier), "as given"
    if first != last:
        raise Invalid(
            f"The rows carry dates from {first} to {last}, so the publication date is in doubt; "
            f"give the week with --week."
        )
    week = week_published_on(first, tier)
    partition = Partition(week, tier)
    days = (first - partition.week_start).days
    return partition, f"published {first:%A} {first}, {days} days after Monday {partition.week_start}"


def _usable(table: pa.Table, tier: str) -> pa.Table:
    return normalize.rows(table, Partition(date(1, 1, 5), tier)).records
