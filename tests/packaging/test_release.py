"""A release: the list of libraries is that of the lock, the archives are reproducible, and its changes are told."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Path], dict[str, Path]]:
    """Wheel and sdist, built twice, from copies in other folders, with other rights and times."""
    return built(tmp_path_factory.mktemp("one"), 0o644), built(tmp_path_factory.mktemp("other") / "folder", 0o600)


def built(folder: Path, mode: int) -> dict[str, Path]:
    shutil.copytree(ROOT, folder / "copy", ignore=shutil.ignore_patterns(".*", "tests", "dist", "__pycache__"))
    for path in (folder / "copy").rglob("*.*"):
        if path.is_file():
            path.chmod(mode | (path.stat().st_mode & 0o100))
            os.utime(path, (mode * 10**6, mode * 10**6))
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(folder / "dist")]
    subprocess.run(command, cwd=folder / "copy", check=True, capture_output=True)
    return {path.suffix: path for path in (folder / "dist").iterdir()}


def test_the_same_files_make_the_same_bytes(archives: tuple[dict[str, Path], dict[str, Path]]) -> None:
    one, other = archives
    assert one.keys() == other.keys() == {".whl", ".gz"}
    for suffix, path in one.items():
        assert path.read_bytes() == other[suffix].read_bytes()
        assert VERSION in path.name


def test_the_wheel_carries_its_libraries_with_their_licences(
    archives: tuple[dict[str, Path], dict[str, Path]],
) -> None:
    with zipfile.ZipFile(archives[0][".whl"]) as wheel:
        found = json.loads(wheel.read(f"otcpipe-{VERSION}.dist-info/sboms/sbom.cdx.json"))
    assert (found["bomFormat"], found["metadata"]["component"]["version"]) == ("CycloneDX", VERSION)
    locked = re.findall(
        r"^([a-z0-9.-]+)(?:\[[a-z,]+\])?==", (ROOT / "scripts/running.lock").read_text(), re.MULTILINE
    )
    components = {one["name"]: one for one in found["components"]}
    assert set(components) == set(locked)
    lacking = [name for name, one in components.items() if not one.get("licenses")]
    assert lacking == [], "without a licence"


def test_the_list_of_libraries_is_that_of_the_lock() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "scripts/sbom.py"], check=True, capture_output=True, text=True
    ).stdout
    assert made == (ROOT / "scripts/sbom.cdx.json").read_text()


def test_the_sdist_builds_the_same_wheel(archives: tuple[dict[str, Path], dict[str, Path]], tmp_path: Path) -> None:
    with tarfile.open(archives[0][".gz"]) as sdist:
        sdist.extractall(tmp_path, filter="data")
    [folder] = tmp_path.iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    assert wheel.read_bytes() == archives[0][".whl"].read_bytes()


def test_the_newest_changes_are_those_of_this_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "otcpipe/cli/CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == VERSION
    assert headings == sorted(headings, key=lambda version: [*map(int, version.split("."))], reverse=True)


@pytest.mark.parametrize("version", ["3.11", f"{sys.version_info.major}.{sys.version_info.minor}", "9.9"])
def test_an_interpreter_is_found_by_its_version(version: str) -> None:
    found = subprocess.run([ROOT / "scripts/interpreter", version], capture_output=True, text=True, check=False)
    assert (found.returncode == 0) == bool(found.stdout)
    if found.stdout:
        asked = subprocess.run([found.stdout.strip(), "--version"], capture_output=True, text=True, check=True)
        assert asked.stdout.startswith(f"Python {version}.")
    assert version != "9.9" or found.returncode == 1
