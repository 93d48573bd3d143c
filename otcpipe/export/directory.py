"""The directory of an export, in which all files appear together."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Self

from otcpipe.errors import Invalid
from otcpipe.storage.files import PART, check, writing

README = "_README.txt"


class ExportDirectory:
    """A context in which one export at a time writes; it removes what a killed export left.

    An export that fails leaves no file and no directory of its own. All methods raise Invalid for a path that cannot
    be written to, and OtcpipeError for a disk that is full or fails.
    """

    def __init__(self, folder: Path, suffix: str, *, is_single_file: bool = False) -> None:
        self._folder = folder
        self._suffix = suffix
        self._is_single_file = is_single_file
        self._made: list[Path] = []  # directories, outermost first
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        with writing(self._folder), ExitStack() as undo:
            undo.callback(self._drop_empty)
            self._make(self._folder)
            self._check_others()
            undo.enter_context(self._lock())
            undo.callback(self._drop_empty)
            undo.callback(self._drop_parts)
            self._drop_parts()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        with writing(self._folder):
            self._undo.close()

    def _check_others(self) -> None:
        """Raise Invalid if the directory holds an export of another format, or one with another layout."""
        of_weeks, single = (list(self._folder.glob(f"{place}[!._]*.*")) for place in ("week_ending=*/", ""))
        if of_weeks if self._is_single_file else single:
            layout = "one file a week" if of_weeks else "one file of all weeks"
            raise Invalid(f"{self._folder} holds an export of {layout}: choose another directory with -o.")
        if {path.suffix for path in (*of_weeks, *single)} - {f".{self._suffix}"}:
            raise Invalid(f"{self._folder} holds files of another format: choose another directory with -o.")

    def place(self, week: date | None) -> Path:
        """Return the temporary path for a week's rows, or for all rows, until `keep`."""
        file = self._file(week)
        check(file)
        check(file.with_name(README))
        with writing(file.parent):
            self._make(file.parent)
        return file.with_name(f".{file.name}{PART}")

    def keep(self, weeks: Iterable[date | None]) -> None:
        """Rename all files to their final names; a week without rows loses the file of an earlier export."""
        for week in weeks:
            file = self._file(week)
            with writing(file.parent):
                parts = list(file.parent.glob(f".*{PART}"))
                for path in [] if parts else [file, file.with_name(README)]:
                    self._remove(path)
                for part in parts:
                    _finish(part)

    def _file(self, week: date | None) -> Path:
        folder = self._folder / f"week_ending={week}" if week else self._folder
        return folder / f"{self._folder.name}.{self._suffix}"

    def _make(self, folder: Path) -> None:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            self._made.append(path)
        folder.mkdir(exist_ok=True)  # raises if it is a file

    def _remove(self, path: Path) -> None:
        check(path)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # it has other files, or does not exist
            path.parent.rmdir()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock file, and remove it at the end; raises Invalid while another export holds it."""
        path = self._folder / ".lock"
        check(path)
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_kept = os.path.samestat(os.fstat(lock.fileno()), path.stat())
            except (BlockingIOError, FileNotFoundError):
                is_kept = False
            if not is_kept:
                raise Invalid(
                    f"Another export is writing to {self._folder}; wait for it, or choose another directory with -o."
                )
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    def _drop_parts(self) -> None:
        for place in ("week_ending=*/", ""):
            for part in self._folder.glob(f"{place}.*{PART}"):
                part.unlink()

    def _drop_empty(self) -> None:
        for path in reversed(self._made):
            with suppress(OSError):  # it is in use
                path.rmdir()


def _finish(part: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(part.with_name(part.name.removeprefix(".").removesuffix(PART)))
