"""Partitions made up from a seed: realistic in shape and size, with totals that add up to the last digit."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random

from .publication import published_on
from .roster import DE_MINIMIS, FIRMS, NMS_VENUES, OTC_VENUES, Security, securities
from .rows import amounts, decimal_text, to_line, to_row, value_of, with_values

DESCRIPTION = {"T1": "NMS Tier 1", "T2": "NMS Tier 2", "OTCE": "OTC", "NA": "Not Applicable"}
FRACTIONAL_SHARES_FROM = date(2026, 2, 23)
FRACTIONAL_NOTIONAL_FROM = date(2025, 3, 10)
RESTATED_AFTER = (2, 7, 7, 7, 11, 42, 43, 49, 50, 51, 99, 99, 107, 164)
"""Days from publication to restatement of the 14 recorded rows that had one."""
VERSION = 1

Three = tuple[str, str, str]
NO_ISSUE = NO_FIRM = ("", "", "")


def generate(week_start: date, tier: str, symbols: int = 40, seed: int = 0) -> list[str]:
    """The lines of a partition of about so many securities.

    As in the real feed, weeks before 2026-02-23 have whole shares and before 2025-03-10 whole dollars.
    `De Minimis Firms` have CRD number 0 in T1 and null elsewhere, because nobody knows which is true.
    """
    return _Week(week_start, tier, seed).lines(securities(tier, symbols))


def cached(folder: Path, week_start: date, tier: str, symbols: int = 40, seed: int = 0) -> list[str]:
    """As `generate`, but kept in a file."""
    path = folder / f"{week_start}_{tier}_{symbols}_{seed}_v{VERSION}.psv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_text("\n".join(generate(week_start, tier, symbols, seed)), encoding="utf-8")
        unfinished.replace(path)
    return path.read_text(encoding="utf-8").split("\n")


def market_wide(week_start: date, tiers: Sequence[Sequence[str]]) -> list[str]:
    """The stray tier `NA`: six rows, ATS and non-ATS for each product type."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in map(to_row, (line for lines in tiers for line in lines)):
        kind, product = value_of(row, "summaryTypeCode"), value_of(row, "productTypeCode")
        if kind in ("ATS_W_SMBL", "OTC_W_SMBL"):
            _add(sums[kind[:3], product or ""], *amounts(row))
    week = _Week(week_start, "NA", 0)
    return [
        week.line(f"{kind}_W_VOL_STATS", ("", "", product), NO_FIRM, total)
        for (kind, product), total in sorted(sums.items())
    ]


def stray_nms(lines: Sequence[str]) -> list[str]:
    """The odd tier `NMS`: rows that stand in T1 as well."""
    return [to_line(with_values(to_row(line), tierIdentifier="NMS")) for line in lines]


def _add(total: list[int], shares: int, notional: int, trades: int) -> None:
    total[0] += shares
    total[1] += notional
    total[2] += trades


class _Week:
    """One partition in the making."""

    def __init__(self, week_start: date, tier: str, seed: int) -> None:
        self.rng = Random(f"{week_start}/{tier}/{seed}")
        self.tier, self.week = tier, str(week_start)
        self.published_on = published_on(week_start, tier)
        self.published = str(self.published_on)
        self.friday, self.late = str(week_start + timedelta(days=4)), str(week_start + timedelta(days=11))
        self.venues = OTC_VENUES if tier == "OTCE" else NMS_VENUES
        self.de_minimis_crd = "0" if tier == "T1" else ""
        self.fractional_shares = week_start >= FRACTIONAL_SHARES_FROM
        self.fractional_notional = week_start >= FRACTIONAL_NOTIONAL_FROM
        self.by_firm: dict[Three, list[int]] = defaultdict(lambda: [0, 0, 0])

    def lines(self, listed: Sequence[Security]) -> list[str]:
        made = [line for security in listed for line in self.security_lines(security)]
        for firm, total in self.by_firm.items():
            made.append(self.line("ATS_W_FIRM" if firm[0] else "OTC_W_FIRM", NO_ISSUE, firm, total))
        return made

    def security_lines(self, security: Security) -> Iterator[str]:
        issue = (security.symbol, security.name, security.product)
        updated = self.published
        if self.rng.random() < 0.03:
            updated = str(self.published_on + timedelta(days=self.rng.choice(RESTATED_AFTER)))
        for kind, firms in (("ATS_W_SMBL", self.ats(security)), ("OTC_W_SMBL", self.non_ats(security))):
            total = [0, 0, 0]
            for firm, weight in firms:
                traded = self.traded(security, weight)
                _add(total, *traded)
                _add(self.by_firm[firm], *traded)
                yield self.line(kind + "_FIRM", issue, firm, traded, updated)
            if total[2]:
                yield self.line(kind, issue, NO_FIRM, total, updated)

    def ats(self, security: Security) -> Iterator[tuple[Three, float]]:
        for number in range(security.venues):
            mpid, name = self.venues[(security.cents + number) % len(self.venues)]
            yield (mpid, "", f"{mpid} {name}"), 0.1

    def non_ats(self, security: Security) -> Iterator[tuple[Three, float]]:
        for number in range(security.firms):
            crd, name = FIRMS[(security.cents + number) % len(FIRMS)]
            yield ("", crd, name), 1.0
        if security.has_de_minimis:
            yield ("", self.de_minimis_crd, DE_MINIMIS), 0.4 * max(security.firms, 1)

    def traded(self, security: Security, weight: float) -> tuple[int, int, int]:
        """Shares and notional in millionths, and trades."""
        rng = self.rng
        shares = int(security.shares * weight * (0.5 + rng.random())) + 1
        amount = shares * 1_000_000
        if self.fractional_shares and rng.random() < 0.1:
            amount += rng.randrange(1, 1_000_000)
        notional = amount * security.cents // 100 + rng.randrange(1_000_000)
        if not self.fractional_notional:
            notional -= notional % 1_000_000
        return amount, notional, shares // rng.randint(40, 200) + 1

    def line(self, kind: str, issue: Three, firm: Three, traded: Sequence[int], updated: str = "") -> str:
        symbol, name, product = issue
        mpid, crd, firm_name = firm
        reported = self.friday
        if self.rng.random() < 0.02:
            reported = self.late
        return (
            f"{decimal_text(traded[0])}|{symbol}|{name}|{updated or self.published}|{reported}|"
            f"{DESCRIPTION[self.tier]}|{self.published}|{self.tier}|{self.week}|{decimal_text(traded[1])}|"
            f"{traded[2]}|{self.week}|{mpid}|{crd}|{product}|{firm_name}|{kind}"
        )
