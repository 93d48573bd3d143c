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
    weeks = transaction.rows("symbol_newest", symbol=symbol, last=friday, at=at or NOW)[0]
    newest, newest_by = weeks["week_ending"], weeks["newest_by"]
    if newest is None:
        raise Invalid(_absence(transaction, symbol, at))
    if friday and friday != newest_by:
        loaded.require(transaction, friday)
        raise Invalid(f"{symbol!r} has no records for the week ending {friday}; its newest are for {newest}.")
    last = friday or newest
    return Asked(symbol, last - timedelta(days=7 * (count - 1)), last, at)


def _absence(transaction: Transaction, symbol: str, at: datetime | None) -> str:
    unknown = symbols.unknown(transaction, [symbol])
    if unknown or at is None:
        return symbols.sentence(symbol, unknown.get(symbol))
    return f"No record of {symbol!r} was known on {moments.new_york(at)}."
