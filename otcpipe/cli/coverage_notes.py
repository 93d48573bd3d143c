"""Sentences below the table of coverage: what to do, what its words mean, and how much needs attention."""

from collections.abc import Iterator, Sequence

from otcpipe.pipeline import gaps
from otcpipe.pipeline.coverage import UNWANTED, Cell
from otcpipe.text.counting import counted

MEANINGS = {  # of states
    UNWANTED: "-: not wanted so far. --from DATE counts weeks from DATE on; "
    "`otcpipe backfill --from DATE` fetches them.",
    "due": "due: FINRA publishes it about now; late after two days.",
    "partial": "partial: only a downloaded file, which has ATSs alone.",
    "restated": "restated 1x: one later capture had other content.",
    "stale": "stale: its metrics are to be computed again.",
}


def notes(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield sentences; the last says how many of the partitions need attention."""
    if unknown := [cell for cell in cells if cell.state == "late" and cell.stage is None]:
        fridays = [cell.partition.week_ending for cell in unknown]
        yield f"`otcpipe backfill --from {min(fridays)} --to {max(fridays)}` fetches what was never requested."
    states = {cell.state for cell in cells}
    yield from (meaning for state, meaning in MEANINGS.items() if state in states)
    unwanted = {cell.partition.week_ending for cell in cells if cell.state == UNWANTED}
    if unwanted:
        yield f"{counted(len(unwanted), 'week lacks', 'weeks lack')} a tier that is not wanted so far."
    count = sum(cell.state in gaps.NEED_ATTENTION for cell in cells)
    of_all = counted(sum(cell.state != UNWANTED for cell in cells), "partition")
    if count:
        yield f"{count:,} of {of_all} need{'s' if count == 1 else ''} attention."
    else:
        yield f"{'Nothing that is wanted is' if unwanted else 'Nothing is'} late, failed or held."
