"""Show which of the expected partitions are loaded."""

import sys
from collections.abc import Sequence

from otcpipe import resources, weeks
from otcpipe.cli import arguments
from otcpipe.cli.console import print_json, print_table, say
from otcpipe.pipeline import coverage as _coverage
from otcpipe.pipeline import gaps


def coverage(first: str | None, last: str | None, tiers: Sequence[str], *, as_json: bool) -> None:
    """Print weeks by tier, equal weeks in one row, and the gaps. Exits with 1 if any is late, failed or held."""
    settings = resources.settings()
    now = settings.now()
    begin, end = weeks.parse_span(first, last, now)
    chosen = arguments.tiers(tiers)
    cells = _coverage.cells(resources.database(), now, settings.since, begin, end, chosen)
    sentences = gaps.describe(cells)
    if as_json:
        print_json([_listed(cell) for cell in cells])
    else:
        _show(cells, sentences, chosen)
    if sentences:
        sys.exit(1)


def _show(cells: list[_coverage.Cell], sentences: list[str], tiers: Sequence[str]) -> None:
    rows = []
    for begin, end, row in gaps.group_weeks(cells):
        span = str(begin) if begin == end else f"{begin} to {end}"
        number = (end - begin).days // 7 + 1
        rows.append({"span": span, "number": number} | {cell.partition.tier: str(cell) for cell in row})
    print_table({"span": "weeks ending", "number": "weeks"} | {tier: tier for tier in tiers}, rows)
    for sentence in sentences:
        say(sentence)
    count = sum(cell.state in gaps.NEED_ATTENTION for cell in cells)
    expected = sum(cell.state != _coverage.NOT_EXPECTED for cell in cells)
    say(f"{count:,} of {expected:,} partitions need attention." if count else "Nothing is late, failed or held.")


def _listed(cell: _coverage.Cell) -> dict[str, object]:
    return {
        "week_ending": cell.partition.week_ending,
        "tier": cell.partition.tier,
        "state": cell.state,
        "days_late": cell.days_late,
        "stage": cell.stage,
        "restated": cell.restated,
        "grade": cell.grade,
        "reason": cell.reason,
    }
