"""Object keys: `<prefix>/<kind>/<tier>/<week_ending>/<digest>.<ext>`, and the one of a partition."""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import date, datetime

from otcpipe import weeks
from otcpipe.datasets import TIERS
from otcpipe.errors import Invalid
from otcpipe.records import Partition

EXTENSIONS = {
    "fetched": ("json", "psv.gz"),  # a manifest, which is the message's key, and its bytes
    "raw": ("psv.gz",),
    "parsed": ("parquet",),
    "normalized": ("parquet",),
    "rejected": ("parquet",),
    "decision": ("json",),
}
_PATH = re.compile(
    r"(?P<kind>[a-z]+)/(?P<tier>[A-Z0-9]+)/(?P<week>\d{4}-\d\d-\d\d)(?:/(?P<name>[0-9a-f]{64})\.(?P<ext>[a-z.]+))?"
)


@dataclass(frozen=True)
class Key:
    """A validated key; `str()` gives it whole, with its prefix."""

    prefix: str
    kind: str
    partition: Partition
    digest: str = ""
    extension: str = ""

    def __str__(self) -> str:
        path = f"{self.prefix}/{self.kind}/{self.partition.tier}/{self.partition.week_ending}"
        return f"{path}/{self.digest}.{self.extension}" if self.digest else path

    def derived(self, kind: str, stage: str, version: int) -> "Key":
        """The key of what a stage makes of this key: a function of the two and the stage's code version."""
        return self.sibling(kind, sha256(f"{self}\n{stage}\n{version}".encode()))

    def beside(self, text: str) -> "Key":
        """Another key of the same prefix."""
        return parse(text, self.prefix)

    def sibling(self, kind: str, digest: str, extension: str = "") -> "Key":
        extension = extension or EXTENSIONS[kind][0]
        return replace(self, kind=kind, digest=digest, extension=extension)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def of_partition(prefix: str, partition: Partition) -> Key:
    return Key(prefix, "partition", partition)


def parse(text: str, prefix: str, now: datetime | None = None) -> Key:
    """Read a key with or without its prefix; raises Invalid for anything that is not exactly a key.

    With `now`, its week must have ended by then; without, it need only be one of the feed.
    """
    match = _PATH.fullmatch(text.removeprefix(f"{prefix}/"))
    week = _friday(match["week"]) if match else None
    if not match or not week or match["tier"] not in TIERS or not _is_named(match["kind"], match["ext"]):
        raise Invalid(f"{text!r} is not a key; a key looks like raw/T1/2024-01-05/<64 hexadecimal digits>.psv.gz.")
    try:
        weeks.check_week(week, now or weeks.LAST_MOMENT)
    except Invalid as error:
        raise Invalid(f"{text!r} names a week that cannot be. {error}") from None
    return Key(prefix, match["kind"], Partition(week, match["tier"]), match["name"] or "", match["ext"] or "")


def _friday(text: str) -> date | None:
    try:
        week = date.fromisoformat(text)
    except ValueError:
        return None
    return week if week.weekday() == weeks.FRIDAY else None


def _is_named(kind: str, extension: str | None) -> bool:
    return extension in EXTENSIONS.get(kind, ()) if extension else kind == "partition"
