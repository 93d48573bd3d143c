"""How good a partition looks beside the weeks around it: gates, a score, a grade.

F stops the metrics, so it takes what no holiday, no first week and no website file can cause: no record at all, more
than a tenth of the rows set aside, more than a quarter of the symbols not adding up, or less than a third of the
tier's usual rows. All else warns.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

from otcpipe.datasets import WEEKLY
from otcpipe.trading_calendar import trading_time

FATAL = 100
GRADES = (("A", 90), ("B", 80), ("C", 60))  # by least score; below them D, and F where something is fatal
USUAL_ROWS = {tier.name: tier.usual_rows for tier in WEEKLY.tiers}
FEW = 100  # rows or symbols, below which a share of them says nothing
ENOUGH = 4  # weeks that make a median
NAMED = 5  # venues that a reason names
WEEKS_AROUND = 13  # before and after: the weeks that a partition is graded beside
WEEKS_CHANGED = 2 * WEEKS_AROUND  # how far a change reaches: it may decide whether a week near it is trusted
WEEKS_READ = 2 * WEEKS_CHANGED  # what is read to grade those


@dataclass(frozen=True)
class Measures:
    """What is told of one partition's current records and its newest capture."""

    week_ending: date
    tier: str
    covers_all: bool
    rows: int
    rejects: int
    unreconciled: int | None
    records: int
    symbols: int
    volume: Decimal
    ats_volume: Decimal
    venues: Sequence[str]
    doubled_symbols: int
    zero_records: int


@dataclass(frozen=True)
class Judgement:
    grade: str
    score: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Around:
    """The tier's trusted weeks of a quarter before and after; the one beside is that before.

    So a week is compared with the next one never, and an odd new week does not spoil the grade of a sound older one.
    """

    weeks: Sequence[Measures]

    def beside(self, one: Measures) -> Measures | None:
        by_week = {other.week_ending: other for other in self.weeks}
        return by_week.get(one.week_ending - timedelta(days=7))


Finding = tuple[int, str]  # points off, and the reason
Gate = Callable[[Measures, Around], Finding | None]


def trusted(newest: Sequence[Measures], accepted: Container[date]) -> list[Measures]:
    """Return the weeks that others are graded beside: those accepted, and those that no fatal finding is against.

    What a week's own measures say comes first, then its number of rows beside the weeks left: the answer depends on
    the set of weeks, not on the order in which they were graded.
    """
    sound = [one for one in newest if one.week_ending in accepted or not _is_fatal(one, OWN_GATES, ())]
    return [
        one
        for one in sound
        if one.week_ending in accepted or not _is_fatal(one, (row_count,), around(one.week_ending, sound))
    ]


def around(week: date, weeks: Sequence[Measures]) -> list[Measures]:
    """Return the weeks of a quarter before and after a week."""
    return [one for one in weeks if 0 < abs((one.week_ending - week).days) <= 7 * WEEKS_AROUND]


def _is_fatal(one: Measures, gates: Sequence[Gate], others: Sequence[Measures]) -> bool:
    return any(finding[0] >= FATAL for gate in gates if (finding := gate(one, Around(others))))


def judge(one: Measures, around: Sequence[Measures]) -> Judgement:
    """All findings, the gravest first."""
    found = [finding for gate in GATES if (finding := gate(one, Around(around)))]
    found.sort(key=lambda finding: -finding[0])
    score = max(0, 100 - sum(points for points, _ in found))
    grade = next((grade for grade, least in GRADES if score >= least), "D")
    is_fatal = any(points >= FATAL for points, _ in found)
    return Judgement("F" if is_fatal else grade, score, tuple(reason for _, reason in found))


def no_data(one: Measures, _: Around) -> Finding | None:
    return None if one.records else (FATAL, "there is no record")


def rejects(one: Measures, _: Around) -> Finding | None:
    """Real weeks have none; a few are a slip, many a format that changed."""
    if one.rejects * 1000 <= one.rows:
        return None
    is_fatal = one.rows >= FEW and one.rejects * 10 > one.rows
    return FATAL if is_fatal else 25, f"{one.rejects:,} of {one.rows:,} rows were set aside"


def reconciliation(one: Measures, _: Around) -> Finding | None:
    if not one.unreconciled:
        return None
    is_fatal = one.symbols >= FEW and one.unreconciled * 4 > one.symbols
    return FATAL if is_fatal else 25, f"{one.unreconciled:,} symbols or firms do not add up to FINRA's totals"


def row_count(one: Measures, around: Around) -> Finding | None:
    """Against the median of the tier's own weeks; before there are some, against the feed's, which the API fills."""
    own = [other.rows for other in around.weeks if other.covers_all == one.covers_all]
    if len(own) >= ENOUGH:
        usual = median(own)
        if usual >= FEW and one.rows * 3 < usual:
            return FATAL, f"{one.rows:,} rows are less than a third of the usual {usual:,.0f}"
        points, tolerance = 25, Decimal("0.25")
    elif one.covers_all:
        usual, points, tolerance = USUAL_ROWS[one.tier], 15, Decimal("0.5")
    else:
        return None
    is_usual = abs(one.rows - Decimal(usual)) <= tolerance * Decimal(usual)
    return None if is_usual else (points, f"{one.rows:,} rows are far from the usual {usual:,.0f}")


def venue_count(one: Measures, around: Around) -> Finding | None:
    beside = around.beside(one)
    if beside is None or len(one.venues) * 5 >= len(beside.venues) * 4:
        return None
    return 25, f"{len(one.venues)} ATSs, and {len(beside.venues)} in the week ending {beside.week_ending}"


def venue_names(one: Measures, around: Around) -> Finding | None:
    beside = around.beside(one)
    gone = sorted(set(beside.venues) - set(one.venues)) if beside else []
    new = sorted(set(one.venues) - set(beside.venues)) if beside else []
    told = [f"{words} {_listed(names)}" for words, names in (("without", gone), ("new is", new)) if names]
    return (5, f"beside the week ending {beside.week_ending}: {', '.join(told)}") if beside and told else None


def volume(one: Measures, around: Around) -> Finding | None:
    """By trading day, half days as halves, in what both weeks cover: a holiday is no anomaly."""
    beside = around.beside(one)
    if beside is None:
        return None
    both = one.covers_all and beside.covers_all
    now, before = ((m.volume if both else m.ats_volume) / trading_time(m.week_ending) for m in (one, beside))
    if not before or abs(now - before) * 2 <= before:
        return None
    change = (now - before) / before * 100
    return 25, f"volume a trading day is {change:+,.0f} % against the week ending {beside.week_ending}"


def doubled_symbols(one: Measures, _: Around) -> Finding | None:
    """A reused ticker or a change of name: real, and worth a look."""
    count = one.doubled_symbols
    return (2, f"{count:,} symbols have more than one issue name") if count else None


def zero_records(one: Measures, _: Around) -> Finding | None:
    count = one.zero_records
    return (5, f"{count:,} records lack shares, trades or dollars, or have less than none") if count else None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return " ".join(names[:NAMED]) + more


OWN_GATES: tuple[Gate, ...] = (no_data, rejects, reconciliation)  # which look at no other week
GATES: tuple[Gate, ...] = (
    *OWN_GATES,
    row_count,
    venue_count,
    venue_names,
    volume,
    doubled_symbols,
    zero_records,
)
