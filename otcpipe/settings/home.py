"""The home of the local stack: the directory with its servers' data, credentials, ports and state file."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

NAME = ".otcpipe"


def find(environ: Mapping[str, str]) -> Path:
    """Return OTCPIPE_HOME, else `.otcpipe` of this folder or the nearest parent, else the user's own.

    A `.otcpipe` that belongs to another user is passed over: its state file would name that user's servers.
    """
    given = environ.get("OTCPIPE_HOME")
    if given:
        return Path(given).absolute()
    here = Path.cwd()
    found = (folder / NAME for folder in (here, *here.parents) if _is_own(folder / NAME))
    return next(found, None) or of_user(environ)


def of_user(environ: Mapping[str, str]) -> Path:
    """Return `otcpipe` in the user's data directory, as the XDG specification or macOS names it."""
    base = Path(environ.get("XDG_DATA_HOME", ""))
    if base.is_absolute():  # a relative one is to be ignored, says the specification
        return base / "otcpipe"
    usual = "Library/Application Support" if sys.platform == "darwin" else ".local/share"
    return Path(environ.get("HOME") or Path.home()) / usual / "otcpipe"


def _is_own(path: Path) -> bool:
    try:
        return path.is_dir() and path.stat().st_uid == os.geteuid()
    except OSError:
        return False
