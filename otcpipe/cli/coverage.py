"""Show which of the expected partitions are loaded."""

import sys
from collections.abc import Sequence

from otcpipe import resources, weeks
from otcpipe.answers import arguments
from otcpipe.cli.console import print_table, say, say_all
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.pipeline import coverage as _coverage
from otcpipe.pipeline import gaps
from otcpipe.text.counting import counted

COLUMNS = {"span": key("Weeks ending"), "number": Column("Weeks")}
LEGEND = {
    _coverage.NOT_EXPECTED: "-: not wanted so far. --from DATE counts weeks from DATE on; "
    "`otcpipe backfill --from DATE` fetches them.",
    "due": "due: FINRA publishes it about now; late after two days.",
    "partial": "partial: only a downloaded file, which has ATSs alone.",
    "restated": "restated 1x: one later capture had other content.",
    "stale": "stale: its metrics are to be computed again.",
    "absent": "absent: FINRA had not published it when it was last asked.",
}
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
        _show(cells, sentences, chosen)
    if sentences:
        sys.exit(1)


def _show(cells: list[_coverage.Cell], sentences: list[str], tiers: Sequence[str]) -> None:
    rows = []
    for begin, end, row in gaps.group_weeks(cells):
        span = str(begin) if begin == end else f"{begin} to {end}"
        number = (end - begin).days // 7 + 1
        rows.append({"span": span, "number": number} | {cell.partition.tier: str(cell) for cell in row})
    print_table(COLUMNS | {tier: key(tier) for tier in tiers}, rows)
    states = {cell.state for cell in cells}
    if unknown := [cell for cell in cells if cell.state == "late" and cell.stage is None]:
        fridays = [cell.partition.week_ending for cell in unknown]
        command = f"`otcpipe backfill --from {min(fridays)} --to {max(fridays)}`"
        sentences = [*sentences, f"{command} fetches what was never requested."]
    say_all([*sentences, *(text for state, text in LEGEND.items() if state in states)])
    count = sum(cell.state in gaps.NEED_ATTENTION for cell in cells)
    expected = sum(cell.state != _coverage.NOT_EXPECTED for cell in cells)
    of_all = f"{count:,} of {counted(expected, 'partition')} need{'s' if count == 1 else ''} attention."
    unwanted = {cell.partition.week_ending for cell in cells if cell.state == _coverage.NOT_EXPECTED}
    if unwanted:
        say(f"{counted(len(unwanted), 'week lacks', 'weeks lack')} a tier that is not wanted so far.")
    what = "Nothing that is wanted is" if unwanted else "Nothing is"
    say(of_all if count else f"{what} late, failed or held.")


def _listed(cell: _coverage.Cell) -> dict[str, object]:
    partition = {"week_ending": cell.partition.week_ending, "tier": cell.partition.tier}
    return partition | {name: getattr(cell, name) for name in LISTED[2:]}
