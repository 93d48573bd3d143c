"""Who gained share, and where: some weeks compared with earlier ones."""

from dataclasses import asdict, dataclass
from datetime import date, timedelta

from otcpipe.metrics.definitions import WEEK
from otcpipe.storage.postgres import Row, Transaction

QUARTER_MONTHS = 3


@dataclass(frozen=True)
class Market:
    """Whose volume shares are of: a tier, or ALL_TIERS, and a scope."""

    tier: str
    scope: str


@dataclass(frozen=True)
class Venue:
    """An ATS by its MPID, or another firm by its CRD number."""

    mpid: str | None
    firm_crd: int | None


@dataclass(frozen=True)
class Comparison:
    """The loaded weeks to compare: the later ones with the earlier ones."""

    market: Market
    later: list[date]
    earlier: list[date]

    @property
    def is_possible(self) -> bool:
        """Whether there are weeks on both sides."""
        return bool(self.later and self.earlier)


def compare_weeks(transaction: Transaction, market: Market, week: date, back: int = 1) -> Comparison:
    """Compare a week with the one `back` weeks before."""
    before = week - back * WEEK
    return Comparison(market, _loaded(transaction, market, week, week), _loaded(transaction, market, before, before))


def compare_quarters(transaction: Transaction, market: Market, week: date) -> Comparison:
    """Compare the calendar quarter of a week, up to that week, with the whole quarter before."""
    first = _first_of_quarter(week)
    last_before = first - timedelta(days=1)
    earlier = _loaded(transaction, market, _first_of_quarter(last_before), last_before)
    return Comparison(market, _loaded(transaction, market, first, week), earlier)


def by_symbol(transaction: Transaction, comparison: Comparison, venue: Venue, limit: int) -> list[Row]:
    """Return the symbols in which a venue gained most, then those in which it lost most, `limit` of each."""
    return transaction.rows("gains_by_symbol", **_values(comparison), **asdict(venue), limit=limit)


def in_symbol(transaction: Transaction, comparison: Comparison, symbol: str) -> list[Row]:
    """Return all venues by their shares of one symbol, the one that gained most first."""
    return transaction.rows("gains_in_symbol", **_values(comparison), symbol=symbol)


def by_venue(transaction: Transaction, comparison: Comparison) -> list[Row]:
    """Return all venues, the one that gained most first."""
    return transaction.rows("gains_by_venue", **_values(comparison))


def _values(comparison: Comparison) -> Row:
    return asdict(comparison.market) | {"later": comparison.later, "earlier": comparison.earlier}


def _loaded(transaction: Transaction, market: Market, first: date, last: date) -> list[date]:
    rows = transaction.rows("gain_weeks", **asdict(market), first=first, last=last)
    return [row["week_ending"] for row in rows]


def _first_of_quarter(day: date) -> date:
    return day.replace(month=(day.month - 1) // QUARTER_MONTHS * QUARTER_MONTHS + 1, day=1)
