"""One of several names, as people type it: in any case, with a hyphen, a space or an underscore."""

import re
from collections.abc import Mapping, Sequence

from otcpipe.errors import Invalid

_SEPARATOR = re.compile(r"[-_ ]")


def choose(text: str, among: Sequence[str], what: str, more: Mapping[str, str] | None = None) -> str:
    """Return the name that the text means; `more` has other spellings. Raises Invalid, which lists the names."""
    names = {_plain(spelling): name for spelling, name in (more or {}).items()} | {_plain(one): one for one in among}
    if _plain(text) not in names:
        article = "an" if what[0] in "aeiou" else "a"
        raise Invalid(f"{text!r} is not {article} {what}; choose from {', '.join(among)}.")
    return names[_plain(text)]


def _plain(text: str) -> str:
    return _SEPARATOR.sub("_", text.casefold())
