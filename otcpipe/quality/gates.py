"""The gates: pure checks of a partition's measures, each of which may find one fault.

A fatal finding gives grade F and stops the metrics. So its thresholds are beyond what a holiday, a first week or a
website file can cause: no record at all, more than a tenth of the rows rejected, more than a quarter of the symbols
unreconciled, or less than a third of the tier's usual rows. All other findings only lower the score.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from statistics import median

from otcpipe.datasets import WEEKLY
from otcpipe.quality.measures import Measures, Neighbours
from otcpipe.trading_calendar import trading_time

FATAL = 100
USUAL_ROWS = {tier.name: tier.usual_rows for tier in WEEKLY.tiers}
MIN_COUNT = 100  # rows or symbols; a share of fewer means nothing
MIN_WEEKS = 4  # for a median
MAX_NAMES = 5  # of venues in a reason

Finding = tuple[int, str]  # points off the score, and the reason
Gate = Callable[[Measures, Neighbours], Finding | None]


def no_data(graded: Measures, _: Neighbours) -> Finding | None:
    """Fatal without any record."""
    return None if graded.records else (FATAL, "there is no record")


def rejects(graded: Measures, _: Neighbours) -> Finding | None:
    """Finds more than one reject in 1,000 rows; fatal above one in 10, if there are at least 100 rows.

    Real weeks have none; a few are a slip, many mean a changed format.
    """
    if graded.rejects * 1000 <= graded.rows:
        return None
    is_fatal = graded.rows >= MIN_COUNT and graded.rejects * 10 > graded.rows
    return FATAL if is_fatal else 25, f"{graded.rejects:,} of {graded.rows:,} rows were set aside"


def reconciliation(graded: Measures, _: Neighbours) -> Finding | None:
    """Finds any unreconciled symbol or firm; fatal above one in four symbols, if there are at least 100."""
    if not graded.unreconciled:
        return None
    is_fatal = graded.symbols >= MIN_COUNT and graded.unreconciled * 4 > graded.symbols
    return FATAL if is_fatal else 25, f"{graded.unreconciled:,} symbols or firms do not add up to FINRA's totals"


def row_count(graded: Measures, neighbours: Neighbours) -> Finding | None:
    """Finds rows more than 25 % off the median of at least four neighbours; fatal below a third of that median.

    With fewer neighbours, a capture from the API may be 50 % off the tier's usual rows; a file is not checked.
    Neighbours count only if they cover as much as the graded week.
    """
    own = [other.rows for other in neighbours.weeks if other.covers_all == graded.covers_all]
    if len(own) >= MIN_WEEKS:
        usual = median(own)
        if usual >= MIN_COUNT and graded.rows * 3 < usual:
            return FATAL, f"{graded.rows:,} rows are less than a third of the usual {usual:,.0f}"
        points, tolerance = 25, Decimal("0.25")
    elif graded.covers_all:
        usual, points, tolerance = USUAL_ROWS[graded.tier], 15, Decimal("0.5")
    else:
        return None
    is_usual = abs(graded.rows - Decimal(usual)) <= tolerance * Decimal(usual)
    return None if is_usual else (points, f"{graded.rows:,} rows are far from the usual {usual:,.0f}")


def venue_count(graded: Measures, neighbours: Neighbours) -> Finding | None:
    """Finds fewer than four fifths of the ATSs of the week before."""
    before = neighbours.week_before(graded)
    if before is None or len(graded.venues) * 5 >= len(before.venues) * 4:
        return None
    return 25, f"{len(graded.venues)} ATSs, and {len(before.venues)} in the week ending {before.week_ending}"


def venue_names(graded: Measures, neighbours: Neighbours) -> Finding | None:
    """Finds any ATS that is new, or missing, against the week before."""
    before = neighbours.week_before(graded)
    if before is None:
        return None
    missing = sorted(set(before.venues) - set(graded.venues))
    new = sorted(set(graded.venues) - set(before.venues))
    changes = [f"{change} {_listed(names)}" for change, names in (("missing", missing), ("new", new)) if names]
    return (5, f"ATSs against the week ending {before.week_ending}: {', '.join(changes)}") if changes else None


def volume(graded: Measures, neighbours: Neighbours) -> Finding | None:
    """Finds shares a trading day more than 50 % off the week before; half days count as halves.

    Only ATS volume is compared if one of the two weeks covers no other. So a holiday is no finding.
    """
    before = neighbours.week_before(graded)
    if before is None:
        return None
    both = graded.covers_all and before.covers_all
    now, then = ((m.volume if both else m.ats_volume) / trading_time(m.week_ending) for m in (graded, before))
    if not then or abs(now - then) * 2 <= then:
        return None
    change = (now - then) / then * 100
    return 25, f"volume a trading day is {change:+,.0f} % against the week ending {before.week_ending}"


def doubled_symbols(graded: Measures, _: Neighbours) -> Finding | None:
    """Finds symbols with several issue names: a reused ticker or a changed name, real but worth a look."""
    count = graded.doubled_symbols
    return (2, f"{count:,} symbols have more than one issue name") if count else None


def zero_records(graded: Measures, _: Neighbours) -> Finding | None:
    """Finds records whose shares, trades or dollars are zero or negative."""
    count = graded.zero_records
    return (5, f"{count:,} records have zero or negative shares, trades or dollars") if count else None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return " ".join(names[:MAX_NAMES]) + more


OWN_GATES: tuple[Gate, ...] = (no_data, rejects, reconciliation)  # which need no neighbours
GATES: tuple[Gate, ...] = (
    *OWN_GATES,
    row_count,
    venue_count,
    venue_names,
    volume,
    doubled_symbols,
    zero_records,
)
