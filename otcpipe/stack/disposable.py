"""Files that a server can do without: they are set aside when it does not start with them, never deleted."""

from datetime import UTC, datetime
from itertools import count
from pathlib import Path


def set_aside(path: Path) -> Path | None:
    """Rename `path` to a new name beside it and return that; None if there is nothing at `path`."""
    if not path.is_symlink() and not path.exists():
        return None
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"{path.name}.damaged-{moment}{f'-{number}' if number else ''}" for number in count())
    aside = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    path.rename(aside)
    return aside


def put_back(aside: Path, path: Path) -> None:
    """Rename `aside` to `path` again; what a server has made there since is set aside."""
    set_aside(path)
    aside.rename(path)
