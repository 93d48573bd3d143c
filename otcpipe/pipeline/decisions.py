"""Decisions of people: small objects in S3, written once; the table in PostgreSQL is a copy of them."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from otcpipe.datasets import TIERS
from otcpipe.metrics import definitions
from otcpipe.quality import grading
from otcpipe.records import Partition
from otcpipe.storage import keys
from otcpipe.storage.keys import Key
from otcpipe.storage.postgres import Database, Row
from otcpipe.storage.s3 import ObjectStore


@dataclass(frozen=True)
class Decision:
    """What a person decided.

    Kinds: accept a content of grade F, withdraw or restore an observation, want (the first week of a tier).
    """

    kind: str
    partition: Partition
    subject: str  # the digest of the content, or the key of the observation
    reason: str
    decided_at: datetime
    grade: str | None = None
    score: int | None = None

    def key(self, prefix: str) -> Key:
        """Return the object's key; equal decisions have equal keys."""
        name = f"{self.kind} {self.partition} {self.subject} {self.decided_at.isoformat()}"
        return keys.of_partition(prefix, self.partition).sibling("decision", keys.sha256(name.encode()))


def record(database: Database, store: ObjectStore, prefix: str, decision: Decision) -> None:
    """Store a decision in S3, then in PostgreSQL."""
    key = decision.key(prefix)
    store.put_once(str(key), encode(decision))
    apply(database, key, decision)


def want(database: Database, store: ObjectStore, prefix: str, partitions: Iterable[Partition], now: datetime) -> None:
    """Record a new first week for each tier with a partition before its present first week."""
    firsts: dict[str, Partition] = {}
    for one in partitions:
        firsts[one.tier] = min(one, firsts.get(one.tier, one), key=lambda each: each.week_ending)
    known = first_wanted(database)
    for tier, one in firsts.items():
        if tier not in known or one.week_ending < known[tier]:
            record(database, store, prefix, Decision("want", one, "", "requested", now))


def first_wanted(database: Database) -> Row:
    """Return the first wanted week by tier; a tier that was never requested is left out."""
    with database.transaction() as transaction:
        found = {row["tier"]: row["week_ending"] for row in transaction.rows("first_wanted")}
    return {tier: found[tier] for tier in TIERS if tier in found}


def apply(database: Database, key: Key, decision: Decision) -> None:
    """Insert a decision and apply it: regrade near an accepted partition, or mark an observation as withdrawn."""
    with database.transaction() as transaction:
        transaction.rows("lock_observation", fetched_key=decision.subject)
        if not transaction.run("add_decision", **asdict(decision) | asdict(key.partition), decision_id=key.digest):
            return
        if decision.kind == "accept":
            grading.regrade(transaction, decision.partition, decision.decided_at)
            # while it was held, its changes marked nothing
            definitions.mark_due(transaction, decision.partition.week_ending)
        elif decision.kind in ("withdraw", "restore"):
            transaction.run("mark_withdrawn", subject=decision.subject)


def encode(decision: Decision) -> bytes:
    """Return the bytes of a decision's object; the partition follows from its key."""
    values = asdict(decision) | {"decided_at": decision.decided_at.isoformat()}
    del values["partition"]
    return json.dumps(values, sort_keys=True, indent=1).encode()
