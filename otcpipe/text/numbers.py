"""Numbers as spreadsheets write them, in plain decimal notation."""

import re
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST = 100  # characters of a number


def respell(text: str, digits: int, decimals: int) -> str | None:
    """Return a number such as `9.763E9`, `100.00000000` or `12.0` in plain decimal notation.

    Returns None for a text that is not a number, is negative, has more than `digits` digits before the point, or
    more than `decimals` significant decimals.
    """
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return None
    is_negative, figures, exponent = Decimal(text).as_tuple()
    number = int("".join(map(str, figures)))
    if not number:
        return "0"
    if not isinstance(exponent, int) or is_negative or len(str(number)) + exponent > digits:
        return None
    if exponent < -decimals:
        number, rest = divmod(number, 10 ** (-decimals - exponent))
        if rest:
            return None
        exponent = -decimals
    return f"{Decimal((0, tuple(map(int, str(number))), exponent)):f}"
