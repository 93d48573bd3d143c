"""Sums of a week and of those before it that can be compared with it."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from otcpipe.metrics.definitions import WEEK
from otcpipe.storage.postgres import Row

SUMMED = ("volume", "trades", "notional")


class Totals:
    """By tier and scope of the week; by week for all its tiers together."""

    def __init__(self, rows: Iterable[Row], week: date, tiers: Iterable[str], scope: str) -> None:
        self._rows = {(row["week_ending"], row["tier"], row["scope"]): row for row in rows}
        self._week = week
        self._tiers = tuple(tiers)
        self._scope = scope

    def of(self, tier: str, scope: str) -> Row | None:
        return self._rows.get((self._week, tier, scope))

    def week(self, week: date, scope: str) -> Row | None:
        """The sums over the report's tiers; None where one of them lacks the scope, or the week has other tiers."""
        there = {tier for of_week, tier, _ in self._rows if of_week == week}
        rows = [self._covered(week, tier, scope) for tier in self._tiers]
        if there != set(self._tiers) or any(row is None for row in rows):
            return None
        return {
            name: None if any(row[name] is None for row in rows if row) else sum(row[name] for row in rows if row)
            for name in SUMMED
        }

    def _covered(self, week: date, tier: str, scope: str) -> Row | None:
        """A tier's sums: zero where both venue types are covered and only the other one traded."""
        nothing = dict.fromkeys(SUMMED, Decimal(0)) if (week, tier, "ALL") in self._rows else None
        return self._rows.get((week, tier, scope), nothing)

    def series(self, name: str, scope: str, weeks: Iterable[date]) -> list[Decimal | None]:
        sums = [self.week(week, scope) for week in weeks]
        return [one[name] if one else None for one in sums]

    def change(self, name: str) -> Decimal | None:
        """Per cent against the week before."""
        now, before = self.week(self._week, self._scope), self.week(self._week - WEEK, self._scope)
        if not now or not before or not before[name] or now[name] is None:
            return None
        ratio: Decimal = Decimal(now[name]) / before[name]
        return (ratio - 1) * 100

    def ats_share(self, week: date) -> Decimal | None:
        """Per cent of all shares."""
        ats, whole = self.week(week, "ATS"), self.week(week, "ALL")
        if not ats or not whole or not whole["volume"]:
            return None
        share: Decimal = ats["volume"] * 100 / whole["volume"]
        return share
