r"""Escaped raw text, for values that contain a delimiter, a line break, a NUL or an unpaired surrogate.

Such text begins with the mark `\u005c`, and in its header and values `|`, LF, CR, NUL and the backslash are written
as `\u007c`, `\u000a`, `\u000d`, `\u0000` and `\u005c`, and a surrogate as `\ud800` to `\udfff`. A row is still one
line, and a `|` still ends a value. Text without the mark is literal: a backslash in it is a backslash.
"""

import re
from collections.abc import Sequence

MARK = rb"\u005c"
NUL = rb"\u0000"
SURROGATE = re.compile(rb"\\ud[89a-f][0-9a-f]{2}")
BACKSLASH = (r"\u005c", "\\")
SPECIAL = {r"\u007c": "|", r"\u000a": "\n", r"\u000d": "\r", r"\u0000": "\0"}
_ESCAPES = {ord(plain): escape for escape, plain in (*SPECIAL.items(), BACKSLASH)}
_ESCAPES |= {code: rf"\u{code:04x}" for code in range(0xD800, 0xE000)}


def escape(value: str) -> str:
    """Return the value as escaped text writes it."""
    return value.translate(_ESCAPES)


def unescape(value: str) -> str:
    """Return the value that `escape` was given; unpaired surrogates stay as they are written."""
    if "\\" in value:
        for written, plain in (*SPECIAL.items(), BACKSLASH):  # the backslash last, since all others begin with it
            value = value.replace(written, plain)
    return value


def join(header: bytes, rows: Sequence[bytes]) -> bytes:
    """Return the text of an escaped header and rows: literal if no value needs an escape, else with the mark."""
    text = b"\n".join([header, *rows, b""])
    if any(written.encode() in text for written in SPECIAL) or SURROGATE.search(text):
        return MARK + text
    return text.replace(MARK, b"\\")


def split_mark(content: bytes) -> tuple[bytes, bool]:
    """Return the content without the mark, and whether it had one."""
    return content.removeprefix(MARK), content.startswith(MARK)


def unstorable(line: bytes) -> str | None:
    """Return why PostgreSQL cannot store a line of escaped text, or None."""
    if NUL in line:
        return "a NUL character inside a value"
    return "an unpaired surrogate inside a value" if SURROGATE.search(line) else None
