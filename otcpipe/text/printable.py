"""Make text safe to show: no control of the terminal, no reversed writing, no forged lines, no secrets."""

import json
import re
import unicodedata
from collections.abc import Iterable

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
CREDENTIALS = r"(?<=://)[^\s/@\"']*:[^\s/@\"']*(?=@)"
SHORTEST_SECRET = 8  # a shorter one may be an ordinary word; credentials in a URL are always redacted
# letters and marks that are displayed as nothing: fillers, joiners, variation selectors
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def printable(text: str) -> str:
    """Return one line: control, format, private-use and surrogate characters and line ends become U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return _INVISIBLE.sub(REPLACEMENT, "".join(map(_replace, text)))


def printable_lines(text: str) -> str:
    """Return a text of several lines, such as a traceback, with each line made printable."""
    return "\n".join(map(printable, text.split("\n")))


def sentence(text: str) -> str:
    """Return a library's message as one printable line, with spaces in place of line ends."""
    return printable(" ".join(text.split()))


class Redaction:
    """Replaces secrets with stars: as they are, as JSON writes them, and the credentials of any URL."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for text in secrets if len(text) >= SHORTEST_SECRET for form in (text, json.dumps(text)[1:-1])}
        self._secret = re.compile("|".join([*map(re.escape, sorted(forms, key=len, reverse=True)), CREDENTIALS]))

    def __call__(self, text: str) -> str:
        return self._secret.sub("***", text)


def _replace(character: str) -> str:
    is_kept = character.isprintable() or unicodedata.category(character) == "Zs"
    return character if is_kept else REPLACEMENT
