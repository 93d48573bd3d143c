"""The gates: pure checks of a partition's measures, each of which may find one fault.

A fatal finding gives grade F and stops the metrics. So its thresholds are beyond what a holiday, a first week or a
website file can cause: no record at all, less than half of the rows captured before, more than a tenth of the rows
rejected, more than a quarter of the symbols unreconciled, or less than a third of the tier's usual rows. All other
findings only lower the score.

The gates of this module look at one partition alone; those of `comparisons` compare it with its neighbours.
"""

from collections.abc import Callable

from otcpipe.quality.measures import Measures, Neighbours
from otcpipe.text.counting import counted

FATAL = 100
MIN_COUNT = 100  # rows or symbols; a share of fewer means nothing

Finding = tuple[int, str]  # points off the score, and the reason
Gate = Callable[[Measures, Neighbours], Finding | None]


def no_data(graded: Measures, _: Neighbours) -> Finding | None:
    """Fatal without any record."""
    return None if graded.records else (FATAL, "there is no record")


def shrunk(graded: Measures, _: Neighbours) -> Finding | None:
    """Fatal with less than half of the rows of the partition's capture before, if that had at least 100.

    FINRA restates some records of a week. A download that was cut at the end of a line has no other mark.
    """
    before = graded.rows_before or 0
    if before < MIN_COUNT or graded.rows * 2 >= before:
        return None
    return FATAL, f"{counted(graded.rows, 'row is', 'rows are')} less than half of the {before:,} captured before"


def rejects(graded: Measures, _: Neighbours) -> Finding | None:
    """Finds more than one reject in 1,000 rows; fatal above one in 10, if there are at least 100 rows.

    Real weeks have none; a few are a slip, many mean a changed format.
    """
    if graded.rejects * 1000 <= graded.rows:
        return None
    is_fatal = graded.rows >= MIN_COUNT and graded.rejects * 10 > graded.rows
    of_rows = f"{graded.rejects:,} of {counted(graded.rows, 'row')}"
    return FATAL if is_fatal else 25, f"{of_rows} {'was' if graded.rejects == 1 else 'were'} set aside"


def reconciliation(graded: Measures, _: Neighbours) -> Finding | None:
    """Finds any unreconciled symbol or firm; fatal above one in four symbols, if there are at least 100."""
    if not graded.unreconciled:
        return None
    is_fatal = graded.symbols >= MIN_COUNT and graded.unreconciled * 4 > graded.symbols
    found = counted(graded.unreconciled, "symbol or firm does", "symbols or firms do")
    return FATAL if is_fatal else 25, f"{found} not add up to FINRA's totals"


def doubled_symbols(graded: Measures, _: Neighbours) -> Finding | None:
    """Finds symbols with several issue names: a reused ticker or a changed name, real but worth a look."""
    found = counted(graded.doubled_symbols, "symbol has", "symbols have")
    return (2, f"{found} more than one issue name") if graded.doubled_symbols else None


def zero_records(graded: Measures, _: Neighbours) -> Finding | None:
    """Finds records whose shares, trades or dollars are zero or negative."""
    found = counted(graded.zero_records, "record has", "records have")
    return (5, f"{found} zero or negative shares, trades or dollars") if graded.zero_records else None
