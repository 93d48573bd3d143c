"""Remove derived objects of old weeks: what needs one makes it again from the raw object."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import date

from otcpipe.datasets import TIERS
from otcpipe.errors import Invalid
from otcpipe.pipeline import ledger
from otcpipe.pipeline.planning import UNDER_WAY
from otcpipe.records import Partition
from otcpipe.storage import keys
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore


@dataclass(frozen=True)
class DerivedObject:
    """An object that can be made again."""

    key: str
    kind: str
    partition: Partition
    size: int  # bytes


def derived(
    database: Database, store: ObjectStore, prefix: str, before: date, kinds: Container[str] = keys.DERIVED
) -> Iterator[DerivedObject]:
    """Yield the derived objects of weeks that ended before a day, but for partitions that are under way."""
    busy = under_way(database, before)
    for kind in keys.DERIVED:
        for tier in TIERS if kind in kinds else ():
            yield from _of_tier(store, prefix, kind, tier, before, busy)


def under_way(database: Database, before: date) -> set[Partition]:
    """Return the partitions of weeks that ended before a day whose objects are kept, as runs may read them."""
    return {
        Partition(row["week_ending"], row["tier"])
        for row in ledger.partitions(database)
        if row["state"] in UNDER_WAY and row["week_ending"] < before
    }


def _of_tier(
    store: ObjectStore, prefix: str, kind: str, tier: str, before: date, busy: Container[Partition]
) -> Iterator[DerivedObject]:
    for name, size in store.sizes(f"{prefix}/{kind}/{tier}/"):
        try:
            partition = keys.parse(name, prefix).partition
        except Invalid:
            continue  # not made by otcpipe
        if partition.week_ending < before and partition not in busy:
            yield DerivedObject(name, kind, partition, size)


def remove(store: ObjectStore, one: DerivedObject) -> None:
    """Remove a derived object; raises ValueError for any other, since what was captured is kept for ever."""
    if one.kind not in keys.DERIVED or f"/{one.kind}/" not in one.key:
        raise ValueError(one.key)
    store.discard(one.key)
