"""The manifest of a lake: which files belong together, and the number of the publication that wrote it.

A publication removes files only after its manifest is in place, and only those that existed before that and that
neither its manifest nor the one before names. Names of files end with the number of the publication that wrote them,
and each manifest has a higher one; a file that stays is one of the manifest before. So a publication that was paused
removes no file that a newer manifest names.
"""

import json
import re
from dataclasses import dataclass

from otcpipe.errors import Invalid
from otcpipe.export.target import Target
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.keys import sha256

MANIFEST = "manifest.json"
_FILE = re.compile(r"\w+_history/week_ending=\d{4}-\d\d-\d\d/(tier=\w+/)?[0-9a-f]{16}(-\d+)?\.parquet")


@dataclass(frozen=True, order=True)
class Entry:
    """A file of the lake, or a week without rows."""

    table: str
    week_ending: str
    path: str  # empty without rows
    rows: int
    state: str  # what the week follows from, so that an unchanged week is not read again


@dataclass(frozen=True)
class Manifest:
    """A manifest as it was read."""

    content: bytes | None  # None if there is none yet
    publication: int
    entries: list[Entry]  # in order

    def path(self, folder: str, content: bytes) -> str:
        """Return the path of a file of the next publication: where the same bytes are already, or a new one."""
        name = f"{folder}/{sha256(content)[:16]}-"
        return next(
            (one.path for one in self.entries if one.path.startswith(name)), f"{name}{self.publication + 1}.parquet"
        )

    def replaced(self, entries: list[Entry]) -> bytes:
        """Return the manifest of the next publication; equal entries have equal bytes."""
        files, empty = ([vars(one) for one in entries if bool(one.path) is is_file] for is_file in (True, False))
        described = {"attribution": ATTRIBUTION, "publication": self.publication + 1, "files": files, "empty": empty}
        return json.dumps(described, indent=1).encode()


def read(target: Target) -> Manifest:
    """Read the manifest; raises Invalid if the file of its name is not one."""
    if (content := target.read(MANIFEST)) is None:
        return Manifest(None, 0, [])
    try:
        found = json.loads(content)
        entries = sorted(Entry(**one) for one in found["files"] + found.get("empty", []))
        return Manifest(content, found.get("publication", 0), entries)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Invalid(f"{MANIFEST} there is not that of a lake: publish to another place.") from None


def is_file(path: str) -> bool:
    """Return whether a path is that of a file of a lake: other files of the same folder are left alone."""
    return _FILE.fullmatch(path) is not None
