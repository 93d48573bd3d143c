"""Symbols that are stored, and those nearest to one that is not."""

import re
from difflib import get_close_matches

from otcpipe.storage.postgres import Transaction

SEPARATORS = (".", "-", "/", " ", "")  # of a class of shares: BRK.B is BRK-B elsewhere
NEAR = 0.7  # of 1: two in three letters in common are no hint
_SEPARATOR = re.compile(r"[^A-Z0-9]")
_PREFERRED = re.compile(r"PR([A-Z])$")  # BAC.PR.B is BAC-PB and BACpB


def unknown(transaction: Transaction, symbols: list[str]) -> dict[str, str | None]:
    """Return those of the symbols that no record has, each with the nearest that is stored, if any."""
    missing = [row["symbol"] for row in transaction.rows("unknown_symbols", symbols=symbols)] if symbols else []
    if not missing:
        return {}
    spellings = sorted({spelling for symbol in missing for spelling in _spellings(symbol)})
    stored = [
        row["symbol"]
        for row in (*transaction.rows("symbols_among", symbols=spellings), *transaction.rows("newest_symbols"))
    ]
    return {symbol: nearest(symbol, stored) for symbol in missing}


def nearest(symbol: str, stored: list[str]) -> str | None:
    """Return the stored symbol that is nearest: equal but for case and separators, else similar; None if none is."""
    plain = _plain(symbol)
    equal = sorted((one for one in stored if plain and _plain(one) == plain), key=lambda one: (len(one), one))
    return next(iter([*equal, *get_close_matches(symbol.upper(), stored, n=1, cutoff=NEAR)]), None)


def sentence(symbol: str, near: str | None) -> str:
    """Return what to say about a symbol that no record has."""
    return f"No symbol {symbol!r} is stored{f': did you mean {near}?' if near else '.'}"


def _spellings(symbol: str) -> set[str]:
    """Return the symbol as typed and in upper case, with each separator in place of its own."""
    cases = {symbol, symbol.upper()}
    return cases | {_SEPARATOR.sub(separator, symbol.upper()) for separator in SEPARATORS}


def _plain(symbol: str) -> str:
    return _PREFERRED.sub(r"P\1", _SEPARATOR.sub("", symbol.upper()))
