"""Verify that everything stored follows from the raw bytes. Differences are reported; nothing is changed."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from itertools import groupby

from otcpipe.audit import differences
from otcpipe.audit.replay import replay
from otcpipe.audit.verdict import Verdict
from otcpipe.metrics import loaded
from otcpipe.records import Partition
from otcpipe.stages import compute
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore


def verify(database: Database, store: ObjectStore, prefix: str, week: date | None) -> Iterator[Verdict]:
    """Yield a verdict for each partition, oldest week first, and after a week's partitions one for its metrics.

    Raises Invalid for a week that is not loaded.
    """
    with database.transaction() as transaction:
        places = [Partition(**row) for row in transaction.rows("verifiable", week=week)]
        if week and not places:
            loaded.require(transaction, week)
    for friday, partitions in groupby(places, key=lambda place: place.week_ending):
        for partition in partitions:
            yield _partition(database, store, prefix, partition)
        yield _metrics(database, friday)


def _partition(database: Database, store: ObjectStore, prefix: str, partition: Partition) -> Verdict:
    """Replay the captures on an empty copy of the records and compare.

    Meanwhile no capture of the partition can be applied; readers are not blocked.
    """
    place, verdict = asdict(partition), Verdict(partition.week_ending, partition.tier)
    with database.transaction() as transaction:
        transaction.rows("lock_partition", **place)
        for statement in ("plan_for_a_week", "create_stand_in", "use_stand_in"):
            transaction.run(statement)
        replayed = replay(transaction, store, prefix, partition, verdict)
        verdict.findings += differences.of_captures(transaction.rows("lost_captures", **place))
        stored_rejects = transaction.rows("stored_rejects", **place)
        verdict.findings += differences.of_rejects(replayed.rejects, replayed.unknown, stored_rejects)
        if replayed.unknown:
            verdict.notes.append("Its records were not compared.")
        else:
            verdict.findings += differences.of_records(transaction.rows("differing_records", **place))
        verdict.compared = {"captures": len(replayed.captures)} | transaction.rows("count_stand_in")[0]
        transaction.connection.rollback()
    verdict.findings = list(dict.fromkeys(verdict.findings))
    return verdict


def _metrics(database: Database, week: date) -> Verdict:
    found, due = compute.find_differences(database, week)
    verdict = Verdict(week, compared={"metrics": len(found.keys() - due)})
    for metric, rows in found.items():
        if metric in due:
            verdict.notes.append(f"{metric} is not computed yet.")
        else:
            verdict.findings += differences.of_metric(metric, rows)
    return verdict
