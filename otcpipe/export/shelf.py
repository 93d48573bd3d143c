"""A directory of weeks whose files appear together, whole, under their names."""

import fcntl
import os
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Self

from otcpipe.errors import Invalid

MARK = ".part"  # with a dot in front: readers of directories pass it over


class Shelf:
    """Only one export at a time writes to it; leftovers of one that was killed are taken away by the next."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self._folder = folder
        self._suffix = suffix
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        others = {path.suffix for path in self._folder.glob("week_ending=*/[!._]*")} - {f".{self._suffix}"}
        if others:
            raise Invalid(f"{self._folder} holds files of another format: choose another directory with -o.")
        lock = self._undo.enter_context((self._folder / ".lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._undo.close()
            raise Invalid(f"Another export is writing to {self._folder}.") from None
        self._undo.callback(self._drop_parts)
        self._drop_parts()
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()

    def place(self, week: date) -> Path:
        """Where to write a week's rows until all weeks are there."""
        folder = self._folder / f"week_ending={week}"
        folder.mkdir(exist_ok=True)
        return folder / f".{self._folder.name}.{self._suffix}{MARK}"

    def keep(self, weeks: Iterable[date]) -> None:
        """Give all files their names; a week that has none loses what an earlier export left."""
        for week in weeks:
            folder = self._folder / f"week_ending={week}"
            parts = list(folder.glob(f".*{MARK}"))
            for path in [] if parts else folder.glob("[!.]*"):
                path.unlink()
            for part in parts:
                _flush(part)
                part.replace(part.with_name(part.name.removeprefix(".").removesuffix(MARK)))

    def _drop_parts(self) -> None:
        for part in self._folder.glob(f"week_ending=*/.*{MARK}"):
            part.unlink()


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
