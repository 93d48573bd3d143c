"""One of several names, as people type it: in any case, with a hyphen, a space or an underscore."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

from otcpipe.errors import Invalid

MANY = 12  # names are not listed if one is near
_SEPARATOR = re.compile(r"[-_ ]")


def choose(text: str, among: Sequence[str], what: str, more: Mapping[str, str] | None = None) -> str:
    """Return the name that the text means; `more` has other spellings. Raises Invalid, which lists the names.

    Of many names it has the nearest alone, if there is one.
    """
    names = {_plain(spelling): name for spelling, name in (more or {}).items()} | {_plain(one): one for one in among}
    if _plain(text) not in names:
        article = "an" if what[0] in "aeiou" else "a"
        near = get_close_matches(_plain(text), names, n=1) if len(among) > MANY else []
        hint = f": did you mean {names[near[0]]}?" if near else f"; choose from {', '.join(among)}."
        raise Invalid(f"{text!r} is not {article} {what}{hint}")
    return names[_plain(text)]


def is_name(text: str, among: Iterable[str]) -> bool:
    """Return whether the text means one of the names."""
    return _plain(text) in map(_plain, among)


def require_known(name: str, known: Collection[str], what: str) -> None:
    """Raise Invalid for a name that is not known: the sentence has the nearest name, else all of them."""
    if name in known:
        return
    near = get_close_matches(_plain(name), known, n=1)
    choice = f": did you mean {near[0]}?" if near else f"; choose from {', '.join(known)}." if known else "."
    raise Invalid(f"No {what} {name!r}{choice}")


def _plain(text: str) -> str:
    return _SEPARATOR.sub("_", text.casefold())
