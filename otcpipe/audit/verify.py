"""Verify that everything stored follows from the raw bytes. Differences are reported; nothing is changed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import lru_cache
from itertools import groupby

import pyarrow as pa

from otcpipe.audit import differences
from otcpipe.errors import Damaged, Invalid
from otcpipe.records import Partition
from otcpipe.stages import apply, compute, evidence, persist
from otcpipe.stages.evidence import Evidence
from otcpipe.storage import keys
from otcpipe.storage.keys import Key
from otcpipe.storage.postgres import Database, Row
from otcpipe.storage.s3 import ObjectStore

Recompute = Callable[[Key], Evidence]  # raises Damaged
CACHED_CONTENTS = 2  # in memory at once: consecutive captures often have the same content


@dataclass
class Verdict:
    """What was compared of a partition, or of a week's metrics if `tier` is None.

    A finding is a sentence about a fault, a note one about something that cannot be verified yet.
    """

    week_ending: date
    tier: str | None = None
    compared: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(database: Database, store: ObjectStore, prefix: str, week: date | None) -> Iterator[Verdict]:
    """Yield a verdict for each partition, oldest week first, and after a week's partitions one for its metrics."""
    with database.transaction() as transaction:
        places = [Partition(**row) for row in transaction.rows("verifiable", week=week)]
    for friday, partitions in groupby(places, key=lambda place: place.week_ending):
        for partition in partitions:
            yield _partition(database, store, prefix, partition)
        yield _metrics(database, friday)


def _partition(database: Database, store: ObjectStore, prefix: str, partition: Partition) -> Verdict:
    """Replay the captures on an empty copy of the records and compare.

    Meanwhile no capture of the partition can be applied; readers are not blocked.
    """
    place, verdict = asdict(partition), Verdict(partition.week_ending, partition.tier)
    recompute = lru_cache(CACHED_CONTENTS)(lambda raw: evidence.recompute(store, raw))
    rejects, unknown = dict[str, pa.Table](), set[str]()  # by raw keys
    with database.transaction() as transaction:
        transaction.rows("lock_partition", **place)
        for statement in ("plan_for_a_week", "create_stand_in", "use_stand_in"):
            transaction.run(statement)
        names, captures = apply.names_of(transaction), transaction.rows("captures", **place)
        counting, before = persist.counting(captures), None
        for capture in captures:
            found = _capture(store, capture, keys.parse(capture["fetched_key"], prefix), recompute, verdict)
            if found:
                rejects[capture["raw_key"]] = found.rows.rejects
            elif capture["normalized_key"]:
                unknown.add(capture["raw_key"])
            if found and capture in counting:
                apply.apply(transaction, names, capture, found.rows, before)
                before = capture
        verdict.findings += _misapplied(captures, counting)
        for row in transaction.rows("lost_captures", **place):
            verdict.findings.append(
                f"Capture {row['capture_id']}, whose records {row['key']} holds, is not in the table."
            )
        verdict.findings += differences.of_rejects(rejects, unknown, transaction.rows("stored_rejects", **place))
        if unknown:
            verdict.notes.append("Its records were not compared.")
        else:
            verdict.findings += differences.of_records(transaction.rows("differing_records", **place))
        verdict.compared = {"captures": len(captures)} | transaction.rows("count_stand_in")[0]
        transaction.connection.rollback()
    verdict.findings = list(dict.fromkeys(verdict.findings))
    return verdict


def _misapplied(captures: Sequence[Row], counting: Sequence[Row]) -> Iterator[str]:
    """Yield a finding for each capture that is applied although it does not count, or the other way round."""
    for capture in captures:
        if capture["persisted_at"] and capture not in counting:
            why = "withdrawn" if capture["is_withdrawn"] else "without any record"
            yield f"Capture {capture['capture_id']} is {why}, but its records are in the tables."
        elif capture in counting and not capture["persisted_at"]:
            yield f"Capture {capture['capture_id']} counts, but its records are missing: run `otcpipe reconcile`."


def _capture(
    store: ObjectStore, capture: Row, fetched: Key, recompute: Recompute, verdict: Verdict
) -> Evidence | None:
    """Verify one capture and return what follows from its bytes.

    None if the bytes are damaged, or if other code than today's made the records.
    """
    number, raw = capture["capture_id"], fetched.beside(capture["raw_key"])
    verdict.findings += evidence.of_observation(store, fetched, capture)
    try:
        if capture["normalized_key"] is None:
            evidence.content(store, raw)
            verdict.notes.append(f"Capture {number} is still being processed: see `otcpipe status`.")
            return None
        if evidence.is_stale(raw, capture["normalized_key"]):
            evidence.content(store, raw)
            verdict.notes.append(f"Capture {number} was made by older code: `otcpipe reconcile --stale` redoes it.")
            return None
        found = recompute(raw)
    except Damaged as damage:
        verdict.findings.append(str(damage))
        return None
    except Invalid as error:
        verdict.findings.append(f"{raw} cannot be read by today's code: {error}")
        return None
    verdict.findings += evidence.differing(capture, found.columns, "its raw bytes")
    verdict.findings += found.findings
    if capture["record_total"] not in (None, found.columns["rows"]):
        claim = f"Capture {number}: its source announced {capture['record_total']:,} rows"
        verdict.findings.append(f"{claim}, its raw bytes have {found.columns['rows']:,}.")
    return found if capture["normalized_key"] == found.columns["normalized_key"] else None


def _metrics(database: Database, week: date) -> Verdict:
    found, due = compute.differing(database, week)
    verdict = Verdict(week, compared={"metrics": len(found.keys() - due)})
    for metric, rows in found.items():
        if metric in due:
            verdict.notes.append(f"{metric} is not computed yet.")
        else:
            verdict.findings += differences.of_metric(metric, rows)
    return verdict
