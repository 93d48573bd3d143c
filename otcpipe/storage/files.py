"""Files for others: written whole or not at all, and never in place of what is not a regular file."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otcpipe.errors import Invalid, OtcpipeError

PART = ".part"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)  # the path is right, and writing to it fails


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Translate errors of the operating system: Invalid for a wrong path, OtcpipeError for a disk that fails."""
    try:
        yield
    except OSError as error:
        kind = OtcpipeError if error.errno in FULL else Invalid
        raise kind(f"{path} cannot be written: {error.strerror or 'an error of the file system'}.") from error


def check(path: Path) -> None:
    """Raises Invalid unless the path is free or names a regular file: no device, FIFO, directory or symbolic link."""
    with writing(path):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
    if not stat.S_ISREG(mode):
        raise Invalid(f"{path} is not a regular file and is not replaced: choose another path with -o.")


def write(path: Path, content: bytes) -> None:
    """Write a file, or leave what the path held before; raises Invalid or OtcpipeError as the two above."""
    check(path)
    part = path.with_name(f".{secrets.token_hex(8)}{PART}")
    with writing(path):
        file = part.open("xb")
        try:
            with file:
                file.write(content)
                flush(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def flush(descriptor: int) -> None:
    """Wait until the disk has the file."""
    os.fsync(descriptor)
