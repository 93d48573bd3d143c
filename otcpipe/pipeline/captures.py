"""Captures: the observations of a partition. A capture's id derives from its observation's key."""

from dataclasses import asdict, replace
from datetime import date, datetime

from otcpipe.errors import Permanent
from otcpipe.metrics import loaded
from otcpipe.pipeline import sessions
from otcpipe.records import Manifest, Partition
from otcpipe.stages import parse
from otcpipe.storage.keys import Key, of_partition, sha256
from otcpipe.storage.postgres import Database, Row, Rows
from otcpipe.storage.s3 import ObjectStore
from otcpipe.weeks import published_on

DIGITS = 13  # hexadecimal, so that the id is exact even as a floating-point number


def number_of(fetched_key: Key) -> int:
    """Return the capture id of an observation, a function of its key without the prefix: it survives a restore."""
    name = str(fetched_key).removeprefix(f"{fetched_key.prefix}/")
    return int(sha256(name.encode())[:DIGITS], 16)


def add(database: Database, fetched_key: Key, manifest: Manifest, content: bytes) -> int:
    """Record an observation and return its capture id; the row of one that is recorded already stays as it is."""
    raw, partition = fetched_key.sibling("raw", manifest.digest), fetched_key.partition
    values = asdict(manifest) | {
        "request_ids": list(manifest.request_ids),
        "added_columns": parse.added_columns(content),
        "published_on": published_on(partition.week_ending, partition.tier),
    }
    keys = {"capture_id": number_of(fetched_key), "fetched_key": str(fetched_key), "raw_key": str(raw)}
    with database.transaction() as transaction:
        transaction.run("add_trading_week", **sessions.of(partition.week_ending))
        # a decision of another transaction must be visible to this one, or see its capture
        transaction.rows("lock_observation", fetched_key=str(fetched_key))
        transaction.run("add_capture", **asdict(partition), **keys, **values)
        return int(transaction.rows("capture_of", fetched_key=str(fetched_key))[0]["capture_id"])


def is_known(database: Database, capture_id: int) -> bool:
    """Return whether the database has the capture."""
    with database.transaction() as transaction:
        return transaction.row("capture", capture_id=capture_id) is not None


def observation_of(store: ObjectStore, prefix: str, partition: Partition, capture_id: int) -> Key:
    """Return the key in S3 of the observation with this id; raises Permanent if S3 has none.

    Needed after the database was restored to a time before the observation.
    """
    place = of_partition(prefix, partition)
    for text in store.keys(f"{replace(place, kind='fetched')}/"):
        if text.endswith(".json") and number_of(place.parse_other(text)) == capture_id:
            return place.parse_other(text)
    raise Permanent(
        f"Neither PostgreSQL nor S3 has capture {capture_id} of {partition.tier} {partition.week_ending}; "
        f"run `otcpipe reconcile` to find lost observations."
    )


def find_content(database: Database, partition: Partition, digest: str, moment: datetime | None) -> Row | None:
    """Return the newest capture with a content, or the one observed at exactly `moment`; None if there is none."""
    with database.transaction() as transaction:
        rows = transaction.rows("same_content", **asdict(partition), digest=digest)
    return next((row for row in rows if moment in (None, row["observed_at"])), None)


def weeks_of_content(database: Database, partition: Partition, digest: str) -> list[date]:
    """Return the other weeks of the tier that have a content; withdrawn captures do not count."""
    with database.transaction() as transaction:
        rows = transaction.rows("weeks_of_content", **asdict(partition), digest=digest)
    return [row["week_ending"] for row in rows]


def is_captured(database: Database, partition: Partition) -> bool:
    """Return whether a fetch from the API captured the partition; withdrawn captures do not count."""
    with database.transaction() as transaction:
        return bool(transaction.rows("is_captured", **asdict(partition))[0]["is_captured"])


def newest_update(database: Database, partition: Partition) -> date | None:
    """Return the newest update date among the current records; None without records."""
    with database.transaction() as transaction:
        found: date | None = transaction.rows("newest_update", **asdict(partition))[0]["updated_on"]
        return found


def listed(database: Database, week: date | None, tier: str | None) -> Rows:
    """Return the captures, oldest week first, then by observation time, with grade and reason of withdrawal.

    Raises Invalid for a week, or a tier of it, that was never captured.
    """
    with database.transaction() as transaction:
        found = transaction.rows("list_captures", week_ending=week, tier=tier)
        if week and not found:
            loaded.require(transaction, week, tier)
    return found
