"""The 17 fields in wire order, and a row as text.

A row is held as one line, its values joined by `|` and null as nothing: what a page of text is made of,
and a third of the memory of a tuple.
"""

import re
from json.encoder import encode_basestring

FIELDS = (
    "totalWeeklyShareQuantity",
    "issueSymbolIdentifier",
    "issueName",
    "lastUpdateDate",
    "lastReportedDate",
    "tierDescription",
    "initialPublishedDate",
    "tierIdentifier",
    "summaryStartDate",
    "totalNotionalSum",
    "totalWeeklyTradeCount",
    "weekStartDate",
    "MPID",
    "firmCRDNumber",
    "productTypeCode",
    "marketParticipantName",
    "summaryTypeCode",
)
NUMBERS = frozenset({"totalWeeklyShareQuantity", "totalNotionalSum", "totalWeeklyTradeCount", "firmCRDNumber"})
KEYS = ("weekStartDate", "tierIdentifier")
PLACE = {name: place for place, name in enumerate(FIELDS)}
SPELLING = {name.lower(): name for name in FIELDS}
ODD = {"|": "\ue07c", "\n": "\ue00a", "\r": "\ue00d", "\0": "\ue000"}
"""What stands in a held line for a character that would end a value or the line."""
_HELD = str.maketrans(ODD)
_PLAIN = str.maketrans({held: plain for plain, held in ODD.items()})

Row = tuple[str | None, ...]
_SHARES, _NOTIONAL, _TRADES = (
    PLACE[name] for name in ("totalWeeklyShareQuantity", "totalNotionalSum", "totalWeeklyTradeCount")
)
_ADDENDS = frozenset({_SHARES, _NOTIONAL, _TRADES})
_IDENTITY = tuple(
    PLACE[name]
    for name in (
        "summaryTypeCode",
        "issueSymbolIdentifier",
        "issueName",
        "productTypeCode",
        "MPID",
        "firmCRDNumber",
    )
)


def published(held: str) -> str:
    """A held line or value with the characters that FINRA publishes."""
    return held.translate(_PLAIN) if any(odd in held for odd in ODD.values()) else held


def to_row(line: str) -> Row:
    """The 17 values of a line."""
    return tuple(published(value) or None for value in line.split("|"))


def to_line(row: Row) -> str:
    """The line of 17 values."""
    if len(row) != len(FIELDS):
        raise ValueError(f"not a row of {len(FIELDS)} values: {row}")
    return "|".join((value or "").translate(_HELD) for value in row)


def value_of(row: Row, name: str) -> str | None:
    return row[PLACE[name]]


def with_values(row: Row, **values: str | None) -> Row:
    """The row with some values changed, by field name."""
    return tuple(values.get(name, value) for name, value in zip(FIELDS, row, strict=True))


def identity(row: Row) -> Row:
    """What tells a row from all others of its partition."""
    return tuple(row[place] for place in _IDENTITY)


def millionths(text: str) -> int:
    """A decimal of up to six places as an integer, so that sums are exact."""
    whole, _, part = text.partition(".")
    return int(whole) * 1_000_000 + int(part.ljust(6, "0") or 0)


def decimal_text(amount: int) -> str:
    """Millionths as FINRA writes them: no zeros at the end, no point in a whole number."""
    whole, part = divmod(amount, 1_000_000)
    return f"{whole}.{part:06d}".rstrip("0") if part else str(whole)


def amounts(row: Row) -> tuple[int, int, int]:
    """Shares and notional in millionths, and trades."""
    shares, notional, trades = row[_SHARES], row[_NOTIONAL], row[_TRADES]
    return millionths(shares or "0"), millionths(notional or "0"), int(trades or 0)


def with_amounts(row: Row, shares: int, notional: int, trades: int) -> Row:
    new = {_SHARES: decimal_text(shares), _NOTIONAL: decimal_text(notional), _TRADES: str(trades)}
    return tuple(new[place] if place in _ADDENDS else value for place, value in enumerate(row))


def json_number(text: str) -> str:
    """A number as Java prints a double: an exponent from 1E7 on and below 1E-3; whole numbers stay whole.

    The digits are those of the text, never rounded to what a double holds.
    """
    whole, _, part = text.partition(".")
    if not part or (len(whole) <= 7 and re.match(r"[1-9]|0\.00?[1-9]|0\.[1-9]", text)):
        return text
    if whole != "0":
        return f"{whole[0]}.{whole[1:]}{part}E{len(whole) - 1}"
    digits = part.lstrip("0")
    return f"{digits[0]}.{digits[1:] or '0'}E-{len(part) - len(digits) + 1}"


def json_value(name: str, text: str) -> str:
    """A value as JSON; a name that is no field (an added column) is a string."""
    if not text:
        return "null"
    return json_number(text) if name in NUMBERS else encode_basestring(text)
