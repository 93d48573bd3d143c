"""Object keys, `<prefix>/<kind>/<tier>/<week_ending>/<digest>.<ext>`; a partition's key ends with its week."""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import date, datetime

from otcpipe import weeks
from otcpipe.datasets import TIERS
from otcpipe.errors import Invalid
from otcpipe.records import Partition

EXTENSIONS = {
    "fetched": ("json", "psv.gz"),  # a manifest, whose key the message carries, and its bytes
    "raw": ("psv.gz",),
    "parsed": ("parquet",),
    "normalized": ("parquet",),
    "rejected": ("parquet",),
    "decision": ("json",),
}
DERIVED = tuple(kind for kind in EXTENSIONS if kind not in ("fetched", "raw", "decision"))  # can be made again
_PATH = re.compile(
    r"(?P<kind>[a-z]+)/(?P<tier>[A-Z0-9]+)/(?P<week>\d{4}-\d\d-\d\d)(?:/(?P<name>[0-9a-f]{64})\.(?P<ext>[a-z.]+))?"
)


@dataclass(frozen=True)
class Key:
    """A validated key; `str()` returns it in full, with its prefix."""

    prefix: str
    kind: str
    partition: Partition
    digest: str = ""
    extension: str = ""

    def __str__(self) -> str:
        path = f"{self.prefix}/{self.kind}/{self.partition.tier}/{self.partition.week_ending}"
        return f"{path}/{self.digest}.{self.extension}" if self.digest else path

    def derived(self, kind: str, stage: str, version: int) -> "Key":
        """Return the key of a stage's output: a function of this key, the stage and its code version."""
        return self.sibling(kind, sha256(f"{self}\n{stage}\n{version}".encode()))

    def of_week(self, kind: str) -> "Key":
        """Return the key of a week's own object, the same for all its tiers: it is stored below the first of them."""
        partition = replace(self.partition, tier=next(iter(TIERS)))
        return replace(self, partition=partition).sibling(kind, sha256(f"{self.partition.week_ending}".encode()))

    def parse_other(self, text: str) -> "Key":
        """Parse another key of the same prefix; raises Invalid as `parse` does."""
        return parse(text, self.prefix)

    def sibling(self, kind: str, digest: str, extension: str = "") -> "Key":
        """Return a key of the same partition; the default extension is the first of its kind."""
        extension = extension or EXTENSIONS[kind][0]
        return replace(self, kind=kind, digest=digest, extension=extension)


def sha256(content: bytes) -> str:
    """Return the SHA-256 of the bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def of_partition(prefix: str, partition: Partition) -> Key:
    """Return the key that the fetch stage takes, which names no object."""
    return Key(prefix, "partition", partition)


def parse(text: str, prefix: str, now: datetime | None = None) -> Key:
    """Parse a key with or without its prefix; raises Invalid for anything that is not exactly a key.

    With `now`, its week must have ended by then; without, it must only be within the bounds of the feed.
    """
    match = _PATH.fullmatch(text.removeprefix(f"{prefix}/"))
    week = _friday(match["week"]) if match else None
    if not match or not week or match["tier"] not in TIERS or not _has_valid_name(match["kind"], match["ext"]):
        raise Invalid(f"{text!r} is not a key; a key looks like raw/T1/2024-01-05/<64 hexadecimal digits>.psv.gz.")
    try:
        weeks.check_week(week, now or weeks.LAST_MOMENT)
    except Invalid as error:
        raise Invalid(f"{text!r} names an impossible week. {error}") from None
    return Key(prefix, match["kind"], Partition(week, match["tier"]), match["name"] or "", match["ext"] or "")


def _friday(text: str) -> date | None:
    try:
        week = date.fromisoformat(text)
    except ValueError:
        return None
    return week if week.weekday() == weeks.FRIDAY else None


def _has_valid_name(kind: str, extension: str | None) -> bool:
    return extension in EXTENSIONS.get(kind, ()) if extension else kind == "partition"
