"""A copy elsewhere: the same keys and bytes, and the list `SHA256SUMS`, which `sha256sum -c` checks too."""

import re
from contextlib import suppress
from dataclasses import replace

from otcpipe.errors import Damaged, Invalid
from otcpipe.export import target
from otcpipe.export.target import Target
from otcpipe.pipeline.backup import inventory
from otcpipe.pipeline.backup.inventory import Problem, Progress, Summary
from otcpipe.settings import Settings
from otcpipe.storage.keys import sha256
from otcpipe.storage.s3 import ObjectStore

SUMS = "SHA256SUMS"
OFTEN = 500  # copied objects until the list is written, so that an interrupted copy goes on where it was
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
OWN = ("S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_REGION")


def place(text: str, settings: Settings) -> Target:
    """Return the folder or `s3://BUCKET/PREFIX` of a copy; raises Invalid for anything else.

    The server is that of OTCPIPE_BACKUP_S3_ENDPOINT, if it is set.
    """
    if not settings["BACKUP_S3_ENDPOINT"]:
        return target.of(text, settings)
    other = {name: settings[f"BACKUP_{name}"] or settings[name] for name in OWN}
    return target.of(text, replace(settings, values={**settings.values, **other}), is_elsewhere=True)


def copy(store: ObjectStore, prefix: str, copies: Target, name: str, report: Progress | None = None) -> Summary:
    """Copy what the copy lacks, each object proven before and read again after; nothing is ever removed from it."""
    sums, stored = _read_sums(copies), set(copies.paths())
    missing = [key for key in inventory.kept(store, prefix) if key not in sums or key not in stored]
    summary = Summary(name)

    def carry(key: str) -> tuple[str, int]:
        content = inventory.proven(store, key)
        copies.replace(key, content)
        if _read(copies, key) != content:
            raise Damaged(key, f"was not stored in {name} as it was sent")
        return sha256(content), len(content)

    try:
        for number, (key, result) in enumerate(inventory.each(carry, missing, report), 1):
            if isinstance(result, Damaged):
                summary.problems.append(Problem(key, str(result)))
                continue
            sums[key] = result[0]
            summary.new += 1
            summary.bytes += result[1]
            if number % OFTEN == 0:
                _write_sums(copies, sums)
    finally:
        if summary.new:
            _write_sums(copies, sums)
    summary.objects = sum(key.startswith(f"{prefix}/") for key in sums)
    return summary


def check(store: ObjectStore, prefix: str, copies: Target, name: str, report: Progress | None = None) -> Summary:
    """Read every object of a copy, and compare the copy with the bucket."""
    sums = _own_sums(copies, prefix, name)
    summary = Summary(name, len(sums))
    for key, result in inventory.each(lambda key: len(_proven(copies, key, sums[key])), sums, report):
        if isinstance(result, Damaged):
            summary.problems.append(Problem(key, str(result)))
        else:
            summary.bytes += result
    missing = [key for key in inventory.kept(store, prefix) if key not in sums]
    summary.problems += [Problem(key, f"{key} is not copied yet.") for key in missing]
    return summary


def keys(prefix: str, copies: Target, name: str) -> list[str]:
    """Return the keys of the objects of this prefix; raises Invalid if the place is no copy."""
    return [*_own_sums(copies, prefix, name)]


def restore(
    store: ObjectStore,
    prefix: str,
    copies: Target,
    name: str,
    report: Progress | None = None,
    *,
    is_dry: bool = False,
) -> Summary:
    """Store in the bucket what it lacks, and what is damaged in it; objects that are right stay as they are.

    With `is_dry` nothing is stored: only what is needed of the copy is read and proven.
    """
    sums = _own_sums(copies, prefix, name)
    summary = Summary(f"bucket {store.bucket}", len(sums))

    def bring_back(key: str) -> int:
        with suppress(Damaged):
            inventory.proven(store, key)
            return 0
        content = _proven(copies, key, sums[key])
        if not is_dry:
            store.discard(key)
            store.put_once(key, content)
        return len(content)

    for key, result in inventory.each(bring_back, sums, report):
        if isinstance(result, Damaged):
            summary.problems.append(Problem(key, str(result)))
        else:
            summary.new += bool(result)
            summary.bytes += result
    summary.objects -= len(summary.problems)
    return summary


def _proven(copies: Target, key: str, digest: str) -> bytes:
    """Return the bytes of an object of a copy; raises Damaged if it is missing or its bytes changed."""
    content = _read(copies, key)
    if content is None:
        raise Damaged(key, "is missing in the copy")
    if sha256(content) != digest:
        raise Damaged(key, "is damaged in the copy: it does not match its SHA-256")
    inventory.prove(key, content)
    return content


def _read(copies: Target, key: str) -> bytes | None:
    try:
        return copies.read(key)
    except Invalid:
        raise Damaged(key, "is damaged in the copy: it does not match its SHA-256") from None


def _own_sums(copies: Target, prefix: str, name: str) -> dict[str, str]:
    """Return the sums of the objects of this prefix; raises Invalid if the place is no copy, or of another prefix."""
    sums = _read_sums(copies)
    if not sums:
        raise Invalid(f"{name} is not a copy: it has no {SUMS}. Name the place that `otcpipe backup --to` was given.")
    own = {key: digest for key, digest in sums.items() if key.startswith(f"{prefix}/")}
    if not own:
        first = next(iter(sums)).rsplit("/", 4)[0]
        raise Invalid(f"{name} holds no copy of {prefix}, but one of {first}: set OTCPIPE_S3_PREFIX to that.")
    return own


def _read_sums(copies: Target) -> dict[str, str]:
    content = copies.read(SUMS)
    lines = (content or b"").decode(errors="replace").splitlines()
    found = [_LINE.fullmatch(line) for line in lines]
    sums = {match[2]: match[1] for match in found if match and inventory.is_path(match[2])}
    if len(sums) != len(lines):
        raise Invalid(f"{SUMS} of the copy is damaged: remove it, and make the copy again.")
    return sums


def _write_sums(copies: Target, sums: dict[str, str]) -> None:
    copies.replace(SUMS, "".join(f"{sums[key]}  {key}\n" for key in sorted(sums)).encode())
