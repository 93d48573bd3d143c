"""Symbols that are stored, and those nearest to one that is not."""

import re
from difflib import SequenceMatcher, get_close_matches

from otcpipe.storage.postgres import Transaction

SEPARATORS = (".", "-", "/", " ", "")  # of a class of shares: BRK.B is BRK-B elsewhere
NEAR, MOST = 0.7, 200  # of 1, as two letters in three are no hint; similar symbols among which the first is sought
LONGEST, LEAST_OF_NAME = 5, 3  # letters of most symbols; of the beginning of a word of a name
_SEPARATOR = re.compile(r"[^A-Z0-9]")


def unknown(transaction: Transaction, symbols: list[str]) -> dict[str, str | None]:
    """Return those of the symbols that no record has, each with the nearest that is stored, if any."""
    known = _among(transaction, symbols) if symbols else []
    missing = [symbol for symbol in symbols if symbol not in known]
    if not missing:
        return {}
    spellings = sorted({spelling for symbol in missing for spelling in _spellings(symbol)})
    stored = [*_among(transaction, spellings), *(row["symbol"] for row in transaction.rows("newest_symbols"))]
    return {symbol: _meant(transaction, symbol, stored) for symbol in missing}


def _among(transaction: Transaction, symbols: list[str]) -> list[str]:
    return [row["symbol"] for row in transaction.rows("symbols_among", symbols=symbols)]


def _meant(transaction: Transaction, text: str, stored: list[str]) -> str | None:
    """Return the nearest symbol, or one with a word of its issue's name that begins so: first for a long text."""
    named = _named(transaction, text) if len(text) > LONGEST else None
    return named or nearest(text, stored) or _named(transaction, text)


def _named(transaction: Transaction, text: str) -> str | None:
    found = transaction.row("symbols_by_name", text=text) if len(text) >= LEAST_OF_NAME else None
    return found["symbol"] if found else None


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
    return {symbol, symbol.upper(), *(_SEPARATOR.sub(separator, symbol.upper()) for separator in SEPARATORS)}


def _plain(symbol: str) -> str:
    return re.sub(r"PR([A-Z])$", r"P\1", _SEPARATOR.sub("", symbol.upper()))  # BAC.PR.B is BAC-PB and BACpB
