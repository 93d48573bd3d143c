"""Files and directories that only their owner can read."""

import os
import secrets
import tempfile
from pathlib import Path


def make_directory(path: Path) -> Path:
    """Create `path` with mode 0700; an existing directory keeps its mode."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def make_private(path: Path) -> Path:
    """Create `path` with mode 0700; an existing directory is closed to other users."""
    make_directory(path)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)
    return path


def write(path: Path, text: str) -> None:
    """Replace `path` atomically; mkstemp gives it mode 0600 from the first byte, whatever the umask."""
    number, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def secret(path: Path) -> str:
    """Return the secret stored in `path`, created by the first call: 40 hexadecimal digits, safe in any URL."""
    if not path.exists():
        write(path, secrets.token_hex(20))
    return path.read_text(encoding="utf-8")


def opener(path: str, flags: int) -> int:
    """Open a file, as the `opener` of `open`; a file that is created has mode 0600."""
    return os.open(path, flags, 0o600)
