"""Sums of a week, and of the weeks before that are comparable."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from otcpipe.metrics.definitions import WEEK
from otcpipe.storage.postgres import Row

SUMMED = ("volume", "trades", "notional")


class Totals:
    """Sums of volume, trades and notional by week, tier and scope."""

    def __init__(self, rows: Iterable[Row], week: date, tiers: Iterable[str], scope: str) -> None:
        self._rows = {(row["week_ending"], row["tier"], row["scope"]): row for row in rows}
        self._week = week
        self._tiers = tuple(tiers)
        self._scope = scope

    def of(self, tier: str, scope: str) -> Row | None:
        """Return the sums of one tier of the report's week; None if the scope is unknown or has no trades."""
        return self._rows.get((self._week, tier, scope))

    def week(self, week: date, scope: str) -> Row | None:
        """Return the sums of a week over the report's tiers; None if the week lacks one, or has others."""
        loaded = {tier for of_week, tier, _ in self._rows if of_week == week}
        rows = [self._covered(week, tier, scope) for tier in self._tiers]
        if loaded != set(self._tiers) or any(row is None for row in rows):
            return None
        return {
            name: None if any(row[name] is None for row in rows if row) else sum(row[name] for row in rows if row)
            for name in SUMMED
        }

    def _covered(self, week: date, tier: str, scope: str) -> Row | None:
        """Return a tier's sums: zero if both venue types are covered and only the other one traded."""
        nothing = dict.fromkeys(SUMMED, Decimal(0)) if (week, tier, "ALL") in self._rows else None
        return self._rows.get((week, tier, scope), nothing)

    def series(self, name: str, scope: str, weeks: Iterable[date]) -> list[Decimal | None]:
        """Return one sum for each week, None for a week that is not comparable."""
        sums = [self.week(week, scope) for week in weeks]
        return [one[name] if one else None for one in sums]

    def change(self, name: str) -> Decimal | None:
        """Return the change from the week before in per cent; None if it is unknown."""
        now, before = self.week(self._week, self._scope), self.week(self._week - WEEK, self._scope)
        if not now or not before or not before[name] or now[name] is None:
            return None
        ratio: Decimal = Decimal(now[name]) / before[name]
        return (ratio - 1) * 100

    def ats_share(self, week: date) -> Decimal | None:
        """Return the ATS share of a week's volume in per cent; None if it is unknown."""
        ats, whole = self.week(week, "ATS"), self.week(week, "ALL")
        if not ats or not whole or not whole["volume"]:
            return None
        share: Decimal = ats["volume"] * 100 / whole["volume"]
        return share
