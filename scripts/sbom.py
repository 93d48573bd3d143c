"""Print the libraries of `running.lock` with their licences, as a CycloneDX document: the wheel carries it.

Run in an environment with these libraries. The same lock gives the same text.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PINNED = re.compile(r"^([a-zA-Z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)", re.MULTILINE)
ELSEWHERE = {"async-timeout": "Apache-2.0", "colorama": "BSD-3-Clause"}  # not every system installs these
LONGEST_NAME = 60  # some libraries give their licence's whole text as its name


def document() -> dict[str, Any]:
    """Return the list of components with otcpipe itself as their root."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
    root = {"type": "application", "name": project["name"], "version": project["version"]}
    pinned = PINNED.findall((HERE / "running.lock").read_text())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root | {"licenses": [{"license": {"id": project["license"]}}]}},
        "components": [_component(name, version) for name, version in sorted(set(pinned))],
    }


def _component(name: str, version: str) -> dict[str, Any]:
    licences = list(_licences(name))
    found = {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
    return found | ({"licenses": licences} if licences else {})


def _licences(name: str) -> Iterator[dict[str, Any]]:
    """Yield the licence that a library's metadata names; none if this system does not need the library."""
    if name in ELSEWHERE:
        yield {"expression": ELSEWHERE[name]}
        return
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return
    expression, text = found.get("License-Expression"), (found.get("License") or "").strip()
    if expression:
        yield {"expression": expression}
    elif text and len(text) <= LONGEST_NAME:
        yield {"license": {"name": text}}
    else:
        for classifier in found.get_all("Classifier") or []:
            if classifier.startswith("License :: ") and classifier != "License :: OSI Approved":
                yield {"license": {"name": classifier.rpartition(" :: ")[2]}}


if __name__ == "__main__":
    print(json.dumps(document(), indent=1))
