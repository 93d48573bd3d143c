"""Whether all that cannot be computed again is in the bucket, and right by its SHA-256."""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

from otcpipe.errors import Damaged, Invalid, Unready
from otcpipe.pipeline import synchronization
from otcpipe.pipeline.volumes import imports
from otcpipe.storage import gz, keys, objects
from otcpipe.storage.keys import sha256
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore

DERIVED = (*keys.DERIVED, "doctor")  # made again, or left over
THREADS = 4
Result = TypeVar("Result")
Progress = Callable[[int, int], object]  # objects read so far, and all
_NAMED_BY_CONTENT = re.compile(r"/([0-9a-f]{64})\.(?:psv\.)?gz")


@dataclass(frozen=True)
class Problem:
    """An object that is missing or wrong, and what is wrong."""

    key: str
    problem: str


@dataclass
class Summary:
    """What a place holds: its objects, their bytes, those that were copied now, and what is wrong."""

    place: str
    objects: int = 0
    bytes: int = 0
    new: int = 0
    problems: list[Problem] = field(default_factory=list)


def kept(store: ObjectStore, prefix: str) -> list[str]:
    """Return the keys of all objects that cannot be made again."""
    found = (key for key in store.keys(f"{prefix}/") if key.removeprefix(f"{prefix}/").split("/")[0] not in DERIVED)
    return sorted(found)


def proven(store: ObjectStore, key: str) -> bytes:
    """Return the stored bytes of an object; raises Damaged if they are not those that its key or SHA-256 names."""
    content = store.get(key)
    prove(key, content)
    return content


def prove(key: str, content: bytes) -> None:
    """Raise Damaged if a key names the SHA-256 of other bytes, or no place below a root."""
    if not is_path(key):
        raise Damaged(key, "is not a key of otcpipe")
    named = _NAMED_BY_CONTENT.search(key)
    try:
        if named and sha256(gz.expand(content)) != named[1]:
            raise Damaged(key, "does not match the SHA-256 in its key")
    except Invalid as error:
        raise Damaged(key, f"cannot be expanded: {error}".removesuffix(".")) from error


def is_path(key: str) -> bool:
    """Return whether a key stays below a root when it is the path of a file."""
    return not {"", ".", ".."} & set(key.split("/")) and "\n" not in key


def check(database: Database, store: ObjectStore, prefix: str, report: Progress | None = None) -> Summary:
    """Read every object, and compare what there is with what manifests and PostgreSQL name.

    A database that lacks its tables names nothing. Raises Unreachable for a server that does not answer.
    """
    found = kept(store, prefix)
    summary, named = Summary(f"bucket {store.bucket}", len(found)), dict[str, str]()

    def look(key: str) -> tuple[int, list[str]]:
        content = proven(store, key)
        return len(content), _names(prefix, key, content)

    for key, result in each(look, found, report):
        if isinstance(result, Damaged):
            summary.problems.append(Problem(key, str(result)))
        else:
            summary.bytes += result[0]
            named |= dict.fromkeys(result[1], f"{key} names it")
    named |= dict.fromkeys(_known(database, prefix), "PostgreSQL knows it")
    for key in sorted(named.keys() - set(found)):
        if not store.exists(key):  # it may have been stored since
            summary.problems.append(Problem(key, f"{key} is missing: {named[key]}."))
    return summary


def each(
    work: Callable[[str], Result], over: Iterable[str], report: Progress | None = None
) -> Iterator[tuple[str, Result | Damaged]]:
    """Yield each key with the result of `work`, or with the damage that it found.

    Work on manifests begins after that on all bytes has ended: a worker that sees a manifest finds what it names.
    """

    def attempt(key: str) -> Result | Damaged:
        try:
            return work(key)
        except Damaged as damage:
            return damage

    chosen = sorted(over)
    groups = [[key for key in chosen if key.endswith(".json") == is_manifest] for is_manifest in (False, True)]
    with ThreadPoolExecutor(THREADS, "backup") as threads:
        found = chain.from_iterable(zip(group, threads.map(attempt, group), strict=True) for group in groups)
        for number, (key, result) in enumerate(found, 1):
            yield key, result
            if report:
                report(number, len(chosen))


def _names(prefix: str, key: str, content: bytes) -> list[str]:
    """Return the keys that a manifest names; raises Damaged if it cannot be read. Other objects name none."""
    kind = key.removeprefix(f"{prefix}/").split("/")[0]
    if not key.endswith(".json") or kind not in ("fetched", "volume", "decision"):
        return []
    try:
        if kind == "volume":
            return [imports.decode(content).content_key(prefix)]
        place: Any = keys.parse(key, prefix)
        if kind == "decision":
            synchronization.decode(place, content)
            return []
        digest = objects.manifest(content).digest
        return [str(place.sibling(name, digest, "psv.gz")) for name in ("fetched", "raw")]
    except (Invalid, ValueError, KeyError, TypeError) as error:
        raise Damaged(key, f"cannot be read: {error}".removesuffix(".")) from error


def _known(database: Database, prefix: str) -> set[str]:
    """Return the keys of observations, imports and decisions that PostgreSQL knows; none if it lacks its tables."""
    try:
        with database.transaction() as transaction:
            return {row["key"] for row in transaction.rows("kept_keys", prefix=prefix)}
    except Unready:
        return set()
