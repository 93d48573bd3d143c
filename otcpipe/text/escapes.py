r"""Raw text whose values hold what delimited text cannot: a delimiter, a line break or a NUL.

Such text begins with the mark `\u005c`, and in its header and values `|`, LF, CR, NUL and the backslash are written
as `\u007c`, `\u000a`, `\u000d`, `\u0000` and `\u005c`. A row is still one line, and a `|` still ends a value. Text
without the mark is literal: a backslash in it is a backslash.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

MARK = rb"\u005c"
NUL = rb"\u0000"
BACKSLASH = (r"\u005c", "\\")
SPECIAL = {r"\u007c": "|", r"\u000a": "\n", r"\u000d": "\r", r"\u0000": "\0"}
_ESCAPES = {ord(plain): escape for escape, plain in (*SPECIAL.items(), BACKSLASH)}


def escape(value: str) -> str:
    """The value as it is written in escaped text."""
    return value.translate(_ESCAPES)


def unescape(value: str) -> str:
    """The value that `escape` was given."""
    if "\\" in value:
        for written, plain in (*SPECIAL.items(), BACKSLASH):  # the backslash last, since it begins all others
            value = value.replace(written, plain)
    return value


def join(header: bytes, rows: Sequence[bytes]) -> bytes:
    """The text of an escaped header and rows: literal where all values can be written so, else with the mark."""
    text = b"\n".join([header, *rows, b""])
    if any(written.encode() in text for written in SPECIAL):
        return MARK + text
    return text.replace(MARK, b"\\")


def split_mark(content: bytes) -> tuple[bytes, bool]:
    """The content without the mark, and whether it had one."""
    return content.removeprefix(MARK), content.startswith(MARK)


def unescaped(column: pa.Array) -> pa.Array:
    """The values of an escaped column, which may be a dictionary."""
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, unescaped(column.dictionary))
    for written, plain in (*SPECIAL.items(), BACKSLASH):
        column = pc.replace_substring(column, written, plain)
    return column
