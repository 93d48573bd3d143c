"""Synchronize the decisions in S3 with their copies in PostgreSQL."""

import json
from collections.abc import Callable
from datetime import datetime

from otcpipe.errors import Damaged
from otcpipe.pipeline import decisions
from otcpipe.pipeline.decisions import Decision
from otcpipe.records import Partition
from otcpipe.storage import keys
from otcpipe.storage.keys import Key
from otcpipe.storage.postgres import Database, Row
from otcpipe.storage.s3 import ObjectStore


def synchronize(
    database: Database, store: ObjectStore, prefix: str, warn: Callable[[str], object], *, is_dry: bool = False
) -> int:
    """Copy decisions that only S3 has to PostgreSQL, and the other way round; return how many were missing.

    Those that only PostgreSQL has come from a release that kept decisions in the table. With `is_dry` nothing is
    copied. `warn` receives a sentence for each decision that cannot be read.
    """
    with database.transaction() as transaction:
        rows = {row["decision_id"]: row for row in transaction.rows("decisions")}
    stored = {text.rsplit("/", 1)[-1].removesuffix(".json"): text for text in store.keys(f"{prefix}/decision/")}
    count = 0
    for name in sorted(stored.keys() - rows.keys()):
        try:
            key = keys.parse(stored[name], prefix)
            decision = decode(key, store.get(str(key)))
        except (Damaged, ValueError, KeyError, TypeError) as error:
            warn(f"The decision {stored[name]} cannot be read: {error}")
            continue
        if not is_dry:
            decisions.apply(database, key, decision)
        count += 1
    for name in sorted(rows.keys() - stored.keys()):
        decision = _of_row(rows[name])
        place = keys.of_partition(prefix, decision.partition)
        if not is_dry:
            store.put_once(str(place.sibling("decision", name)), decisions.encode(decision))
        count += 1
    return count


def decode(key: Key, content: bytes) -> Decision:
    """Return the decision of an object; raises ValueError, KeyError or TypeError if it is not one."""
    values = json.loads(content)
    moment = datetime.fromisoformat(values["decided_at"])
    return Decision(**values | {"partition": key.partition, "decided_at": moment})


def _of_row(row: Row) -> Decision:
    names = ("kind", "subject", "reason", "grade", "score", "decided_at")
    return Decision(partition=Partition(row["week_ending"], row["tier"]), **{name: row[name] for name in names})
