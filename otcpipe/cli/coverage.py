"""Show which of the expected partitions are loaded."""

import sys
from collections.abc import Sequence
from datetime import date

from otcpipe import resources, weeks
from otcpipe.answers import arguments
from otcpipe.cli.console import print_table, say_all
from otcpipe.cli.coverage_notes import notes
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.pipeline import coverage as _coverage
from otcpipe.pipeline import gaps
from otcpipe.storage.postgres import Row

COLUMNS = {"span": key("Weeks ending"), "number": Column("Weeks")}
LISTED = ("week_ending", "tier", "state", "days_late", "stage", "restated", "grade", "reason")


def coverage(first: str | None, last: str | None, tiers: Sequence[str], form: Form) -> None:
    """Print weeks by tier, equal weeks in one row, and the gaps. Exits with 1 if any is late, failed or held."""
    settings = resources.settings()
    now = settings.now()
    begin, end = weeks.parse_span(first, last, now)
    chosen = arguments.tiers(tiers)
    cells = _coverage.cells(resources.database(), now, settings.since, begin, end, chosen)
    sentences = gaps.describe(cells)
    if not write(form, [_listed(cell) for cell in cells], LISTED):
        print_table(
            COLUMNS | {tier: key(tier) for tier in chosen}, [_row(*group) for group in gaps.group_weeks(cells)]
        )
        say_all([*sentences, *notes(cells)])
    if sentences:
        sys.exit(1)


def _row(begin: date, end: date, cells: Sequence[_coverage.Cell]) -> Row:
    span = str(begin) if begin == end else f"{begin} to {end}"
    return {"span": span, "number": (end - begin).days // 7 + 1} | {cell.partition.tier: str(cell) for cell in cells}


def _listed(cell: _coverage.Cell) -> Row:
    partition = {"week_ending": cell.partition.week_ending, "tier": cell.partition.tier}
    return partition | {name: getattr(cell, name) for name in LISTED[2:]}
