"""Files that a server does not need: renamed if it does not start with them, never deleted."""

from datetime import UTC, datetime
from itertools import count
from pathlib import Path


def set_aside(path: Path) -> Path | None:
    """Rename `path` within its directory and return the new path; None if `path` does not exist."""
    if not path.is_symlink() and not path.exists():
        return None
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"{path.name}.damaged-{moment}{f'-{number}' if number else ''}" for number in count())
    aside = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    path.rename(aside)
    return aside


def restore(aside: Path, path: Path) -> None:
    """Rename `aside` back to `path`; files that the server has created in the meantime are set aside."""
    set_aside(path)
    aside.rename(path)
