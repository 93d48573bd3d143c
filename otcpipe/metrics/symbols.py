"""Symbols that are stored, and those nearest to one that is not."""

import re
from difflib import get_close_matches

from otcpipe.storage.postgres import Transaction

_SEPARATOR = re.compile(r"[^A-Z0-9]")
_PREFERRED = re.compile(r"PR([A-Z])$")  # BAC.PR.B is BAC-PB and BACpB


def unknown(transaction: Transaction, symbols: list[str]) -> dict[str, str | None]:
    """Return those of the symbols that no record has, each with the nearest that a recent week has, if any."""
    missing = [row["symbol"] for row in transaction.rows("unknown_symbols", symbols=symbols)] if symbols else []
    if not missing:
        return {}
    stored = [row["symbol"] for row in transaction.rows("newest_symbols")]
    return {symbol: nearest(symbol, stored) for symbol in missing}


def nearest(symbol: str, stored: list[str]) -> str | None:
    """Return the stored symbol that is nearest: equal but for case and separators, else similar; None if none is."""
    plain = _plain(symbol)
    equal = sorted((one for one in stored if plain and _plain(one) == plain), key=lambda one: (len(one), one))
    return next(iter([*equal, *get_close_matches(symbol.upper(), stored, n=1)]), None)


def sentence(symbol: str, near: str | None) -> str:
    """Return what to say about a symbol that no record has."""
    return f"No symbol {symbol!r} is stored{f': did you mean {near}?' if near else '.'}"


def _plain(symbol: str) -> str:
    return _PREFERRED.sub(r"P\1", _SEPARATOR.sub("", symbol.upper()))
