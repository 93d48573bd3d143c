"""Gates that compare a partition with its neighbours."""

from collections.abc import Sequence
from decimal import Decimal
from statistics import median

from otcpipe.datasets import WEEKLY
from otcpipe.quality.gates import FATAL, MIN_COUNT, Finding
from otcpipe.quality.measures import Measures, Neighbours
from otcpipe.text.counting import counted
from otcpipe.weeks.trading_calendar import trading_time

USUAL_ROWS = {tier.name: tier.usual_rows for tier in WEEKLY.tiers}
MIN_WEEKS = 4  # for a median
MAX_NAMES = 5  # of venues in a reason


def row_count(graded: Measures, neighbours: Neighbours) -> Finding | None:
    """Finds rows more than 25 % off the median of at least four neighbours; fatal below a third of that median.

    With fewer neighbours, a capture from the API may be 50 % off the tier's usual rows; a file is not checked.
    Neighbours count only if they cover as much as the graded week.
    """
    own = [other.rows for other in neighbours.weeks if other.covers_all == graded.covers_all]
    if len(own) >= MIN_WEEKS:
        usual = median(own)
        if usual >= MIN_COUNT and graded.rows * 3 < usual:
            return FATAL, f"{counted(graded.rows, 'row is', 'rows are')} less than a third of the usual {usual:,.0f}"
        points, tolerance = 25, Decimal("0.25")
    elif graded.covers_all:
        usual, points, tolerance = USUAL_ROWS[graded.tier], 15, Decimal("0.5")
    else:
        return None
    is_usual = abs(graded.rows - Decimal(usual)) <= tolerance * Decimal(usual)
    if is_usual:
        return None
    return points, f"{counted(graded.rows, 'row is', 'rows are')} far from the usual {usual:,.0f}"


def venue_count(graded: Measures, neighbours: Neighbours) -> Finding | None:
    """Finds fewer than four fifths of the ATSs of the week before."""
    before = neighbours.week_before(graded)
    if before is None or len(graded.venues) * 5 >= len(before.venues) * 4:
        return None
    venues = counted(len(graded.venues), "ATS")
    return 25, f"{venues}, and {len(before.venues)} in the week ending {before.week_ending}"


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


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return " ".join(names[:MAX_NAMES]) + more
