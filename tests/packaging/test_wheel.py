"""An installed wheel carries all that the checkout has, and works."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from otcpipe.pipeline.definition import PIPELINE
from tests.support import image

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image.build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_carries_actors_sql_and_the_reports_page(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "actors").glob("*.py")} <= names
    page = {str(path.relative_to(ROOT)) for path in (ROOT / "otcpipe" / "report").glob("*.[hc]*")}
    assert len(page) >= 3
    assert page <= names
    sql = {f"otcpipe/{path.relative_to(ROOT)}" for path in (ROOT / "schema").glob("*/*.sql")}
    assert sql
    assert sql <= names
    documents = {name for name in names if name.endswith((".md", ".png"))}
    assert documents <= {"otcpipe/schema/README.md"}  # the data dictionary


def test_an_installed_wheel_works(wheel: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    """In an environment of its own, with the libraries of the image."""
    programs = image.make(wheel, tmp_path / "venv")
    packages = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    environ = {name: text for name, text in os.environ.items() if not name.startswith("OTCPIPE")} | environment
    migrated = subprocess.run(
        [programs / "otcpipe", "migrate"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert migrated.stdout == "The schema is up to date.\n", migrated.stderr
    listed = "import actors, otcpipe; print(otcpipe.__file__, sorted(actors.broker().get_declared_queues()))"
    shown = subprocess.run(
        [programs / "python", "-c", listed], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert str(packages) in shown.stdout
    assert str(sorted(stage.name for stage in PIPELINE)) in shown.stdout
