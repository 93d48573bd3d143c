"""FINRA's website files: find the tier and the week of a file, which itself does not name its week."""

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.datasets import TIERS
from otcpipe.errors import Invalid
from otcpipe.records import Partition
from otcpipe.stages import normalize, parse
from otcpipe.text import dialect
from otcpipe.text.columns import LINE, REASON
from otcpipe.text.printable import printable
from otcpipe.text.tables import Normalized
from otcpipe.weeks import parse_tier, published_on, week_published_on

MAX_EARLY = timedelta(days=4)  # rows may be dated one business day before publication, over a long weekend
_HIDDEN = r"^\s|\s$|[\p{Cc}\p{Cf}\x{a0}\x{2028}\x{2029}]"
_OTHER_DATE = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}")


@dataclass(frozen=True)
class WebsiteFile:
    """A checked file: its tier, the first and the last update of its rows, and its number of rows."""

    tier: str
    first_update: date
    last_update: date
    lines: int
    rejected: int = 0  # rows that cannot be used
    reject: str = ""  # the first of them, in words
    has_last_end: bool = True  # whether its last line ends with a line break


def read(content: bytes) -> WebsiteFile:
    """Check a file's bytes; raises Invalid, with the reason, if they are not a website file, whole and usable."""
    table = parse.rows(content)
    if not normalize.is_website_file(table):
        raise Invalid("This is the API's text; only files from FINRA's website can be imported.")
    well_formed = table.filter(table[REASON].is_null())
    if not well_formed.num_rows:
        raise Invalid(
            f"The file has no usable row: {table[REASON][0]}." if table.num_rows else "The file has no rows."
        )
    tier = _tier(pc.unique(well_formed["tierDescription"]).drop_null().to_pylist())
    if (
        pc.all(well_formed["MPID"].is_null()).as_py()
        and pc.any(well_formed["marketParticipantName"].is_valid()).as_py()
    ):
        raise Invalid(
            "This is the download of non-ATS volume, whose rows have no MPID; only ATS downloads can be imported. "
            "Fetch non-ATS volume from the API with `otcpipe enqueue`."
        )
    rows = normalize.rows(table, Partition(date(1, 1, 5), tier))
    has_last_end = dialect.detect(content).text.endswith(b"\n")
    if not has_last_end and pc.max(table[LINE]).as_py() in rows.rejects["line"].to_pylist():
        raise Invalid(f"The file ends in the middle of line {pc.max(table[LINE])}: download it again.")
    _require_plain(rows.records)
    days = rows.records["updated_on"]
    if not len(days):
        raise Invalid(f"The file has no usable row: {_explain(rows, well_formed)}")
    rejects = rows.rejects.to_pylist()
    return WebsiteFile(
        tier,
        pc.min(days).as_py(),
        pc.max(days).as_py(),
        table.num_rows,
        rejected=sum(one["lines"] for one in rejects),
        reject=f"line {rejects[0]['line']}: {rejects[0]['reason']}" if rejects else "",
        has_last_end=has_last_end,
    )


def _require_plain(records: pa.Table) -> None:
    """Raise Invalid for an identifier that would be another than it looks: spreadsheets add spaces, for instance."""
    for name in ("symbol", "mpid", "product_type"):
        texts = records[name].cast(pa.string()).combine_chunks()
        place = pc.index(pc.match_substring_regex(texts, _HIDDEN), True).as_py()
        if place >= 0:
            what = f"Line {records['line'][place]}: {name.replace('_', ' ')} {printable(texts[place].as_py())!r}"
            raise Invalid(
                f"{what} has spaces around it, or a character that cannot be seen; import the file as downloaded."
            )


def _tier(names: list[str]) -> str:
    """Return the only tier of the rows; rows with an unknown tier are rejected later."""
    tiers = sorted({parse_tier(name) for name in names if name in {*TIERS, *TIERS.values()}})
    if len(tiers) == 1:
        return tiers[0]
    if len(names) == 1:
        return parse_tier(names[0])
    raise Invalid(f"The file must hold one tier; it holds {', '.join(sorted(names)[:5]) or 'none'}.")


def _explain(rows: Normalized, well_formed: pa.Table) -> str:
    """Return why no row is a record: the most frequent reason of the rejects."""
    dates = pc.unique(well_formed["lastUpdateDate"]).drop_null().to_pylist()
    if dates and all(_OTHER_DATE.match(text) for text in dates):
        return (
            f"its dates are written as {dates[0]}, not as 2025-12-29, which a spreadsheet may have done; "
            f"import the file as downloaded."
        )
    [(reason, count)] = Counter(rows.rejects["reason"].to_pylist()).most_common(1)
    return f"{count:,} of {rows.rejects.num_rows:,} rows were rejected because {reason}."


def find_partition(file: WebsiteFile, week: date | None) -> tuple[Partition, str]:
    """Return the partition of a file, and why in words; raises Invalid if it is in doubt or contradicts `week`."""
    first, last, tier = file.first_update, file.last_update, file.tier
    if week is not None:
        published = published_on(week, tier)
        if first < published - MAX_EARLY:
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


def warnings(file: WebsiteFile, partition: Partition) -> list[str]:
    """Return what is doubtful: rows that cannot be used, a last line that may be cut, dates of another week."""
    found = []
    if file.rejected:
        rows = "1 row cannot be used" if file.rejected == 1 else f"{file.rejected:,} rows cannot be used, the first"
        found.append(f"{rows}: {file.reject}.")
    if not file.has_last_end:
        found.append("Its last line has no line break: if the file was cut in it, the last number lacks digits.")
    published, first = published_on(partition.week_ending, partition.tier), file.first_update
    if first < published:
        found.append(
            f"Its rows are dated {first}, but this week was published on {published}; "
            f"it is imported as given by --week."
        )
    elif other := _other_week(file, partition):
        found.append(
            f"All its rows are dated {first}, when the week ending {other} was published; "
            f"it is imported as given by --week, as if {partition.week_ending} had been restated as a whole."
        )
    return found


def _other_week(file: WebsiteFile, partition: Partition) -> date | None:
    """Return the week that was first published on the day of all rows, if it is not that of the partition."""
    with suppress(Invalid):
        week = week_published_on(file.first_update, file.tier)
        return week if file.first_update == file.last_update and week != partition.week_ending else None
    return None
