"""Text that a spreadsheet would treat as a formula."""

import re

FIRST = r"^(['=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}])"  # the first character of a formula, also in full width
_FIRST = re.compile(re.sub(r"\\x\{(\w+)\}", r"\\u\1", FIRST))


def escape_formula(text: str) -> str:
    """Prefix text that a spreadsheet would treat as a formula with an apostrophe."""
    return f"'{text}" if _FIRST.match(text) else text
