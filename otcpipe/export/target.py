"""Where a lake or a copy is written to: a folder, or a bucket of an object store."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import Protocol

from otcpipe.errors import Damaged, Invalid, TooSoon
from otcpipe.settings import Settings
from otcpipe.storage.files import PART, check, writing
from otcpipe.storage.s3 import ObjectStore

S3 = "s3://"
BUSY_SECONDS = 2  # until the next attempt


class Target(Protocol):
    """Files by their paths below a root, which other programs may read at any time."""

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes; None if it does not exist."""

    def put(self, path: str, content: bytes) -> bool:
        """Write a file whole, unless it exists; return whether it was written."""

    def replace(self, path: str, content: bytes) -> None:
        """Write a file whole, in place of an older one."""

    def swap(self, path: str, content: bytes, old: bytes | None) -> bool:
        """Write a file whole if it still is `old`, None for no file; return whether it is the new one now.

        No other process can replace it between the check and the write, however long this one is paused.
        """

    def paths(self, folder: str = "") -> Iterator[str]:
        """Yield the paths of all files, or of those in a folder, whose path ends with a slash."""

    def remove(self, path: str) -> None:
        """Remove a file; a missing one is no error."""


def of(text: str, settings: Settings, *, is_elsewhere: bool = False) -> Target:
    """Return the target `s3://BUCKET/PREFIX` or a folder; raises Invalid for anything else.

    `is_elsewhere` says that the settings name another server than the one where otcpipe keeps what it captured.
    """
    if not text.startswith(S3):
        if "://" in text or not text:
            raise Invalid(f"{text!r} is neither a folder nor s3://BUCKET/PREFIX.")
        try:
            return Folder(Path(text).expanduser())
        except RuntimeError:
            raise Invalid(f"{text!r} names no user's folder.") from None
    bucket, _, prefix = text.removeprefix(S3).partition("/")
    prefix = prefix.strip("/")
    own = settings["S3_PREFIX"]
    if not bucket or not prefix or ".." in prefix.split("/"):
        raise Invalid(f"{text!r} lacks a bucket or a prefix: give s3://BUCKET/PREFIX.")
    if not is_elsewhere and bucket == settings["S3_BUCKET"] and f"{prefix}/".startswith(f"{own}/"):
        raise Invalid(f"{text!r} is where otcpipe keeps what it captured: choose another prefix.")
    store = ObjectStore(replace(settings, values={**settings.values, "S3_BUCKET": bucket}))
    if not store.has_bucket():
        raise Invalid(f"There is no bucket {bucket!r}: create it first.")
    return Bucket(store, prefix)


@dataclass(frozen=True)
class Folder:
    """A folder. A file appears under its name when all of it is on disk."""

    root: Path

    def read(self, path: str) -> bytes | None:
        with suppress(FileNotFoundError, NotADirectoryError):
            return (self.root / path).read_bytes()
        return None

    def put(self, path: str, content: bytes) -> bool:
        if (self.root / path).exists():
            return False
        self.replace(path, content)
        return True

    def replace(self, path: str, content: bytes) -> None:
        """Raises TooSoon if another process writes the same file meanwhile."""
        file = self.root / path
        check(file)
        part = file.with_name(f".{file.name}.{secrets.token_hex(8)}{PART}")
        with writing(file.parent):
            file.parent.mkdir(parents=True, exist_ok=True)
            for left in file.parent.glob(f".{escape(file.name)}.*{PART}"):  # by a process that was killed or paused
                left.unlink(missing_ok=True)
            with part.open("xb") as written:
                written.write(content)
                os.fsync(written.fileno())
            try:
                part.replace(file)
            except FileNotFoundError:
                raise TooSoon(f"Another process writes {file}: wait for it.", BUSY_SECONDS) from None

    def swap(self, path: str, content: bytes, old: bytes | None) -> bool:
        with self._alone() as is_alone:
            if not is_alone or self.read(path) != old:
                return False
            self.replace(path, content)
        return True

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Lock the folder itself until the end of the block; yield False while another process holds the lock."""
        with writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            folder = os.open(self.root, os.O_RDONLY)
        try:
            with writing(self.root):
                is_alone = _lock(folder)
            yield is_alone
        finally:
            os.close(folder)  # which ends the lock

    def paths(self, folder: str = "") -> Iterator[str]:
        for file in sorted((self.root / folder).rglob("*")):
            if not file.name.startswith(".") and file.is_file():
                yield str(file.relative_to(self.root))

    def remove(self, path: str) -> None:
        (self.root / path).unlink(missing_ok=True)


@dataclass(frozen=True)
class Bucket:
    """A bucket, whose objects appear whole."""

    store: ObjectStore
    prefix: str

    def read(self, path: str) -> bytes | None:
        with suppress(Damaged):
            return self.store.get(self._key(path)) if self.store.exists(self._key(path)) else None
        raise Invalid(f"{self._key(path)} was not written by otcpipe.")

    def put(self, path: str, content: bytes) -> bool:
        return self.store.put_once(self._key(path), content)

    def replace(self, path: str, content: bytes) -> None:
        self.store.replace(self._key(path), content)

    def swap(self, path: str, content: bytes, old: bytes | None) -> bool:
        return self.store.swap(self._key(path), content, old)

    def paths(self, folder: str = "") -> Iterator[str]:
        for key in self.store.keys(f"{self.prefix}/{folder}"):
            yield key.removeprefix(f"{self.prefix}/")

    def remove(self, path: str) -> None:
        self.store.discard(self._key(path))

    def _key(self, path: str) -> str:
        return f"{self.prefix}/{path}"


def _lock(descriptor: int) -> bool:
    """Lock an open folder; return False while another process holds its lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
