"""What the reference works on: plain records and plain rows, nothing of otcpipe's."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

WEEK = timedelta(days=7)
TIERS = ("T1", "T2", "OTCE")
DE_MINIMIS = "De Minimis Firms"
CLOSED = (  # the NYSE's, as it announced them
    *("2025-01-01", "2025-01-09", "2025-01-20", "2025-02-17", "2025-04-18", "2025-05-26", "2025-06-19", "2025-07-04"),
    *("2025-09-01", "2025-11-27", "2025-12-25", "2026-01-01", "2026-01-19", "2026-02-16", "2026-04-03", "2026-05-25"),
    *("2026-06-19", "2026-07-03", "2026-09-07", "2026-11-26", "2026-12-25"),
)
SCOPES = {"ATS": {"ATS"}, "NON_ATS": {"NON_ATS"}, "ALL": {"ATS", "NON_ATS"}}

Row = dict[str, Any]
Venue = tuple[str | None, int | None, str | None]


@dataclass(frozen=True)
class Record:
    """A firm row, as published."""

    week_ending: date
    tier: str
    venue_type: str
    symbol: str | None
    share_volume: Decimal
    trade_count: int
    mpid: str | None = None
    firm_crd: int | None = None
    venue_name: str | None = None
    issue_name: str | None = None
    product_type: str | None = None
    notional: Decimal | None = None

    @property
    def venue(self) -> Venue:
        """What makes it one venue: the MPID, else the number, else the name."""
        if self.mpid is not None:
            return self.mpid, None, None
        return (None, self.firm_crd, None) if self.firm_crd is not None else (None, None, self.venue_name)

    @property
    def is_named(self) -> bool:
        """Whether the volume is of a venue that is known: no ATS is without an MPID."""
        is_known = self.mpid is not None if self.venue_type == "ATS" else self.venue != (None, None, None)
        return is_known and self.venue_name != DE_MINIMIS and self.firm_crd != 0


Loaded = Mapping[tuple[date, str], str]  # a partition: all, or ats


def matches(coverage: str, scope: str) -> bool:
    """Whether a capture of this coverage knows the scope's volume."""
    return scope == "ATS" or coverage == "all"


def of_scope(records: Iterable[Record], scope: str) -> list[Record]:
    return [record for record in records if record.venue_type in SCOPES[scope]]


def volume(records: Iterable[Record]) -> Fraction:
    return Fraction(sum(int(record.share_volume.scaleb(6)) for record in records), 10**6)


def trades(records: Iterable[Record]) -> int:
    return sum(record.trade_count for record in records)


def by_venue(records: Iterable[Record]) -> dict[Venue, list[Record]]:
    """The records of each named venue."""
    venues: dict[Venue, list[Record]] = {}
    for record in records:
        if record.is_named:
            venues.setdefault(record.venue, []).append(record)
    return venues


def groups(records: Iterable[Record], *names: str) -> list[tuple[tuple[Any, ...], list[Record]]]:
    groups = defaultdict(list)
    for record in records:
        groups[tuple(getattr(record, name) for name in names)].append(record)
    return list(groups.items())


def markets(records: list[Record], loaded: Loaded) -> Iterator[tuple[date, str, str, list[Record]]]:
    """Where venues have shares: each tier and, where all are loaded, all tiers of a week, by scope."""
    for (week,), members in groups(records, "week_ending"):
        for scope in SCOPES:
            for tier in (tier for tier in TIERS if (week, tier) in loaded and matches(loaded[week, tier], scope)):
                yield week, tier, scope, of_scope((record for record in members if record.tier == tier), scope)
            if is_whole(loaded, week, scope):
                yield week, "ALL_TIERS", scope, of_scope(members, scope)


def is_whole(loaded: Loaded, week: date, scope: str) -> bool:
    return all((week, tier) in loaded and matches(loaded[week, tier], scope) for tier in TIERS)


def trading_days(week: date) -> int:
    return sum(str(week - timedelta(days=back)) not in CLOSED for back in range(5))


def rounded(value: Fraction, places: int) -> Decimal:
    """Half away from zero."""
    whole, rest = divmod(abs(value) * 10**places, 1)
    digits = int(whole) + (rest >= Fraction(1, 2))
    return Decimal(digits if value >= 0 else -digits).scaleb(-places)
