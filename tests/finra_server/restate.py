"""What FINRA does to a published partition: pure changes that leave firm rows and totals in agreement."""

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from .rows import Row, amounts, identity, to_line, to_row, value_of, with_amounts, with_values


def restated(lines: Sequence[str], seed: int = 0) -> list[str]:
    """One firm row has other amounts, and so have its totals; lastUpdateDate is a day later."""
    rng = Random(seed)
    firm = rng.choice(_firm_rows(lines))
    more = rng.randint(1, 50)
    return moved(lines, firm, (more * 1_000_000, more * 12_340_000, more))


def withdrawn(lines: Sequence[str], seed: int = 0) -> list[str]:
    """One firm row is gone, and its amounts from its totals; a total of nothing goes as well."""
    firm = Random(seed).choice(_firm_rows(lines))
    shares, notional, trades = amounts(firm)
    return moved(lines, firm, (-shares, -notional, -trades))


def grown(lines: Sequence[str], count: int = 1, seed: int = 0) -> list[str]:
    """So many new symbols, each with one firm row and one total: 2 x count rows more."""
    rng, lines = Random(seed), list(lines)
    like = rng.choice(_firm_rows(lines))
    for number in range(count):
        symbol = rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") + f"NEW{len(lines) + number:d}"
        new = with_values(like, issueSymbolIdentifier=symbol, issueName=f"New Listing {symbol}")
        lines = moved(lines, with_amounts(new, 0, 0, 0), (7_500_000, 81_234_560, 3))
    return lines


def moved(lines: Sequence[str], firm: Row, by: tuple[int, int, int]) -> list[str]:
    """Adds shares and notional (millionths) and trades to a firm row, its symbol's total and its firm's.

    A missing firm row or symbol total is made, a missing firm total is not: some partitions have none.
    """
    total, updated = _symbol_total(firm), _day_after(value_of(firm, "lastUpdateDate") or "")
    absent = {identity(row): row for row in (firm, total)}
    touched = {*absent, identity(_firm_total(firm))}
    kept: list[Row] = []
    for row in map(to_row, lines):
        if (known := identity(row)) in touched:
            absent.pop(known, None)
            row = _shifted(row, by, updated)  # noqa: PLW2901 - the same row, shifted
        if amounts(row)[2]:
            kept.append(row)
    kept += (_shifted(with_amounts(row, 0, 0, 0), by, updated) for row in absent.values())
    return [to_line(row) for row in kept]


def _firm_rows(lines: Sequence[str]) -> list[Row]:
    return [to_row(line) for line in lines if line.endswith("_SMBL_FIRM")]


def _symbol_total(firm: Row) -> Row:
    kind = (value_of(firm, "summaryTypeCode") or "").removesuffix("_FIRM")
    return with_values(firm, summaryTypeCode=kind, MPID=None, firmCRDNumber=None, marketParticipantName=None)


def _firm_total(firm: Row) -> Row:
    kind = (value_of(firm, "summaryTypeCode") or "").replace("_SMBL", "")
    return with_values(firm, summaryTypeCode=kind, issueSymbolIdentifier=None, issueName=None, productTypeCode=None)


def _day_after(day: str) -> str:
    return str(date.fromisoformat(day) + timedelta(days=1))


def _shifted(row: Row, by: tuple[int, int, int], updated: str) -> Row:
    shares, notional, trades = (old + more for old, more in zip(amounts(row), by, strict=True))
    return with_values(with_amounts(row, shares, notional, trades), lastUpdateDate=updated)
