"""Output files: written completely or not at all; only regular files are replaced."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otcpipe.errors import Invalid, OtcpipeError

PART = ".part"
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)  # the path is valid, but writing fails


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Translate errors of the operating system: Invalid for a wrong path, OtcpipeError for a full or failing disk."""
    try:
        yield
    except OSError as error:
        kind = OtcpipeError if error.errno in DISK_ERRORS else Invalid
        raise kind(f"{path} cannot be written: {error.strerror or 'file system error'}.") from error


def check(path: Path) -> None:
    """Raise Invalid unless the path is free or a regular file: not a device, FIFO, directory or symbolic link."""
    with writing(path):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
    if not stat.S_ISREG(mode):
        raise Invalid(f"{path} is not a regular file and is not replaced: choose another path with -o.")


def check_named(path: Path) -> None:
    """Do as `check`, and raise Invalid if the folder of a file that a user named does not exist."""
    with writing(path):
        if not path.parent.is_dir():
            raise Invalid(f"There is no folder {path.parent}: create it, or choose another path with -o.")
    check(path)


def write(path: Path, content: bytes) -> None:
    """Write a file that a user named atomically; on an error its previous content stays.

    Raises as `check_named` and `writing` do.
    """
    check_named(path)
    part = path.with_name(f".{secrets.token_hex(8)}{PART}")
    with writing(path):
        file = part.open("xb")
        try:
            with file:
                file.write(content)
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
