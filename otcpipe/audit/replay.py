"""Replay a partition's captures from their raw bytes onto an empty copy of its records."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache

import pyarrow as pa

from otcpipe.audit.verdict import Verdict
from otcpipe.errors import Damaged, Invalid
from otcpipe.records import Partition
from otcpipe.stages import apply, evidence, persist
from otcpipe.stages.evidence import Evidence
from otcpipe.storage import keys, raw_bytes
from otcpipe.storage.keys import Key
from otcpipe.storage.postgres import Row, Transaction
from otcpipe.storage.s3 import ObjectStore

Recompute = Callable[[Key], Evidence]  # raises Damaged
CACHED_CONTENTS = 2  # in memory at once: consecutive captures often have the same content


@dataclass
class Replay:
    """The captures that were replayed, their rejects by raw key, and the raw keys that could not be replayed."""

    captures: list[Row]
    rejects: dict[str, pa.Table] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)


def replay(
    transaction: Transaction, store: ObjectStore, prefix: str, partition: Partition, verdict: Verdict
) -> Replay:
    """Apply the captures that count, in order of observation, to the records that the transaction sees.

    Faults of single captures are added to the verdict.
    """
    recompute = lru_cache(CACHED_CONTENTS)(lambda raw: evidence.recompute(store, raw))
    names, captures = apply.load_names(transaction), transaction.rows("captures", **asdict(partition))
    replayed, counting, before = Replay(captures), persist.effective_captures(captures), None
    for capture in captures:
        found = _capture(store, capture, keys.parse(capture["fetched_key"], prefix), recompute, verdict)
        if found:
            replayed.rejects[capture["raw_key"]] = found.rows.rejects
        elif capture["normalized_key"]:
            replayed.unknown.add(capture["raw_key"])
        if found and capture in counting:
            apply.apply(transaction, names, capture, found.rows, before)
            before = capture
    verdict.findings += _misapplied(captures, counting)
    return replayed


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
    number, raw = capture["capture_id"], fetched.parse_other(capture["raw_key"])
    verdict.findings += evidence.check_observation(store, fetched, capture)
    try:
        if capture["normalized_key"] is None:
            raw_bytes.proven(store, raw)
            verdict.notes.append(f"Capture {number} is still being processed: see `otcpipe status`.")
            return None
        if evidence.is_stale(raw, capture["normalized_key"]):
            raw_bytes.proven(store, raw)
            verdict.notes.append(f"Capture {number} was made by older code: `otcpipe reconcile --stale` redoes it.")
            return None
        found = recompute(raw)
    except Damaged as damage:
        verdict.findings.append(str(damage))
        return None
    except Invalid as error:
        verdict.findings.append(f"{raw} cannot be read by today's code: {error}")
        return None
    verdict.findings += evidence.compare(capture, found.columns, "its raw bytes")
    verdict.findings += found.findings
    if capture["record_total"] not in (None, found.columns["rows"]):
        claim = f"Capture {number}: its source announced {capture['record_total']:,} rows"
        verdict.findings.append(f"{claim}, its raw bytes have {found.columns['rows']:,}.")
    return found if capture["normalized_key"] == found.columns["normalized_key"] else None
