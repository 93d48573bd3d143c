"""Find the symbol and weeks of a request. Symbols are case-sensitive."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from otcpipe.answers import moments
from otcpipe.errors import Invalid
from otcpipe.metrics import loaded, symbols
from otcpipe.storage.postgres import Transaction

NOW = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """A symbol's weeks; `at` is a moment of knowledge, None for now."""

    symbol: str
    first: date
    last: date
    at: datetime | None


def find(transaction: Transaction, symbol: str, friday: date | None, count: int, at: datetime | None) -> Asked:
    """Return `count` weeks up to `friday`, by default the newest with records; raises Invalid if none."""
    symbol = symbol.encode(errors="replace").decode()
    found = _newest(transaction, symbol, friday, at)
    if found and friday in (None, found):
        return Asked(symbol, found - timedelta(days=7 * (count - 1)), found, at)
    newest = _newest(transaction, symbol, None, at) if friday else None
    if newest is None or friday is None:
        raise Invalid(_absence(transaction, symbol, at))
    loaded.require(transaction, friday)
    raise Invalid(f"{symbol!r} has no records for the week ending {friday}; its newest are for {newest}.")


def _newest(transaction: Transaction, symbol: str, last: date | None, at: datetime | None) -> date | None:
    """Return the newest week with records of a symbol, up to the last if it is given; None if no week has."""
    found = transaction.row("symbol_newest_as_of" if at else "symbol_newest", symbol=symbol, last=last, at=at)
    week: date | None = found["week_ending"] if found else None
    return week


def _absence(transaction: Transaction, symbol: str, at: datetime | None) -> str:
    unknown = symbols.unknown(transaction, [symbol])
    if unknown or at is None:
        return symbols.sentence(symbol, unknown.get(symbol))
    return f"No record of {symbol!r} was known on {moments.new_york(at)}."
