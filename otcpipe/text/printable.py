"""Text that may be shown: nothing in it moves a cursor, turns the writing round, forges a line or tells a secret."""

import json
import re
import unicodedata
from collections.abc import Iterable

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
CREDENTIALS = r"(?<=://)[^\s/@\"']*:[^\s/@\"']*(?=@)"
SHORTEST_SECRET = 8  # a shorter one may be an ordinary word; in a URL it is hidden all the same
# letters and marks that Unicode shows as nothing: fillers, joiners, variation selectors
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def printable(text: str) -> str:
    """One line: control, format, private and unpaired characters, and ends of lines, are replaced by U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return _INVISIBLE.sub(REPLACEMENT, "".join(map(_shown, text)))


def printable_lines(text: str) -> str:
    """The same for a text of several lines, as a traceback is."""
    return "\n".join(map(printable, text.split("\n")))


def sentence(text: str) -> str:
    """The same for a message of a library, whose ends of lines become spaces."""
    return printable(" ".join(text.split()))


class Redaction:
    """Stars in place of secrets, as they stand in a setting, in JSON, or in any URL."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {form for text in secrets if len(text) >= SHORTEST_SECRET for form in (text, json.dumps(text)[1:-1])}
        self._secret = re.compile("|".join([*map(re.escape, sorted(known, key=len, reverse=True)), CREDENTIALS]))

    def __call__(self, text: str) -> str:
        return self._secret.sub("***", text)


def _shown(character: str) -> str:
    is_kept = character.isprintable() or unicodedata.category(character) == "Zs"
    return character if is_kept else REPLACEMENT
