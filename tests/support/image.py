"""What the image holds, without Docker: the wheel and the libraries of `scripts/running.lock`, nothing else."""

import re
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPTS = {"otcpipe": "from otcpipe.cli import app; app()", "dramatiq": "from dramatiq.cli import main; main()"}


def build_wheel(folder: Path) -> Path:
    """Build the wheel in a folder, and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def make(wheel: Path, folder: Path) -> Path:
    """Make the image's environment in a folder, with this environment's libraries as links; return its programs."""
    venv.create(folder)
    packages = next(folder.glob("lib/python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(packages)
    locked = re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==", (ROOT / "scripts/running.lock").read_text(), re.MULTILINE)
    for library in set[Path]().union(*map(_parts, locked)):
        (packages / library.name).symlink_to(library)
    for name, program in SCRIPTS.items():
        script = folder / "bin" / name
        script.write_text(f"#!{folder}/bin/python\n{program}\n")
        script.chmod(0o755)
    return folder / "bin"


def _parts(distribution: str) -> set[Path]:
    """Return the files and folders of a distribution beside those of others; none if this system does not need it."""
    try:
        found = files(distribution) or []
    except PackageNotFoundError:
        return set()
    first = {one.parts[0]: Path(str(one.locate())).parents[len(one.parts) - 1] for one in found}
    return {folder / name for name, folder in first.items() if name not in ("..", "__pycache__")}
