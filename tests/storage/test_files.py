"""Output files: complete or absent, and in place of regular files only."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from otcpipe.errors import Invalid
from otcpipe.storage import files


def _link(path: Path) -> None:
    path.with_name("target").write_text("kept")
    path.symlink_to(path.with_name("target"))


OTHERS: dict[str, Callable[[Path], None]] = {
    "a directory": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a symbolic link": _link,
    "a symbolic link to nothing": lambda path: path.symlink_to(path.with_name("nothing")),
    "a symbolic link to a device": lambda path: path.symlink_to("/dev/null"),
    "a symbolic link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_regular_file_stays_what_it_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    OTHERS[name](path)
    before = {one.name: os.lstat(one) for one in tmp_path.iterdir()}
    with pytest.raises(Invalid, match=r"page\.html is not a regular file and is not replaced: choose another"):
        files.write(path, b"x")
    assert {one.name: os.lstat(one) for one in tmp_path.iterdir()} == before


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full", "/dev/stdout", "/dev/fd/1"])
def test_a_device_is_not_replaced(device: str) -> None:
    before = Path(device).lstat().st_ino
    with pytest.raises(Invalid, match="is not a regular file"):
        files.write(Path(device), b"x")
    assert Path(device).lstat().st_ino == before


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("file/page.html", "no folder"),
        ("x" * 300, "File name too long"),
        (".", "not a regular file"),
        ("..", "not a regular file"),
    ],
)
def test_a_path_that_cannot_be_written_is_one_sentence(path: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(Invalid, match=reason) as error:
        files.write(tmp_path / path, b"x")
    assert str(tmp_path) in str(error.value)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_missing_may_be_misspelled_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="There is no folder .*/new/deep: create it"):
        files.write(tmp_path / "new" / "deep" / "page.html", b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_as_a_whole_and_has_ordinary_rights(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9")
    for content in (b"one", b"two"):
        files.write(path, content)
        assert path.read_bytes() == content
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_interrupted_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    path.write_text("kept")

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write(path, b"x")
    assert path.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [path]
