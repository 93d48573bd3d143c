"""Symbols that are stored, and those nearest to one that is not."""

import re
from difflib import SequenceMatcher, get_close_matches

from otcpipe.storage.postgres import Transaction

SEPARATORS = (".", "-", "/", " ", "")  # of a class of shares: BRK.B is BRK-B elsewhere
NEAR = 0.7  # of 1: two in three letters in common are no hint
LEAST_OF_NAME = 4  # characters of the beginning of a word, with the blank before it
MOST = 200  # similar symbols among which the first is sought
_SEPARATOR = re.compile(r"[^A-Z0-9]")
_PREFERRED = re.compile(r"PR([A-Z])$")  # BAC.PR.B is BAC-PB and BACpB


def unknown(transaction: Transaction, symbols: list[str]) -> dict[str, str | None]:
    """Return those of the symbols that no record has, each with the nearest that is stored, if any."""
    known = _among(transaction, symbols) if symbols else []
    missing = [symbol for symbol in symbols if symbol not in known]
    if not missing:
        return {}
    spellings = sorted({spelling for symbol in missing for spelling in _spellings(symbol)})
    stored = [*_among(transaction, spellings), *(row["symbol"] for row in transaction.rows("newest_symbols"))]
    return {symbol: nearest(symbol, stored) or _named(transaction, symbol) for symbol in missing}


def _among(transaction: Transaction, symbols: list[str]) -> list[str]:
    return [row["symbol"] for row in transaction.rows("symbols_among", symbols=symbols)]


def _named(transaction: Transaction, text: str) -> str | None:
    """Return the most traded symbol with a word of its issue's name that begins so; None if no name has one."""
    begins = f" {text.strip().upper()}"
    listed = transaction.rows("listed_symbols") if len(begins) >= LEAST_OF_NAME else []
    named = [row for row in listed if begins in f" {row['issue_name'] or ''}".upper()]
    return max(named, key=lambda row: float(row["volume"]), default={"symbol": None})["symbol"]


def nearest(symbol: str, stored: list[str]) -> str | None:
    """Return the stored symbol that is nearest: equal but for case and separators, else similar; None if none is.

    Of equally similar ones it is the first.
    """
    plain = _plain(symbol)
    equal = sorted((one for one in stored if plain and _plain(one) == plain), key=lambda one: (len(one), one))
    if equal:
        return equal[0]
    near = get_close_matches(symbol.upper(), stored, n=MOST, cutoff=NEAR)
    likeness = {one: SequenceMatcher(None, one, symbol.upper()).ratio() for one in near}
    return max(likeness, key=lambda one: (likeness[one], -stored.index(one)), default=None)


def sentence(symbol: str, near: str | None) -> str:
    """Return what to say about a symbol that no record has."""
    return f"No symbol {symbol!r} is stored{f': did you mean {near}?' if near else '.'}"


def _spellings(symbol: str) -> set[str]:
    """Return the symbol as typed and in upper case, with each separator in place of its own."""
    cases = {symbol, symbol.upper()}
    return cases | {_SEPARATOR.sub(separator, symbol.upper()) for separator in SEPARATORS}


def _plain(symbol: str) -> str:
    return _PREFERRED.sub(r"P\1", _SEPARATOR.sub("", symbol.upper()))
