"""Does all that is stored follow from the raw bytes? What does not is told; nothing is changed."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import lru_cache
from itertools import groupby

import pyarrow as pa

from otcpipe.errors import Damaged, Invalid
from otcpipe.records import Partition
from otcpipe.stages import apply, compute, evidence, persist
from otcpipe.stages.evidence import Evidence
from otcpipe.storage import keys
from otcpipe.storage.keys import Key
from otcpipe.storage.postgres import Database, Row
from otcpipe.storage.s3 import ObjectStore

Recompute = Callable[[Key], Evidence]  # raises Damaged
CONTENTS = 2  # in memory at once: captures of one content often follow each other
SHOWN = 5  # of many findings of one kind


@dataclass
class Verdict:
    """What was compared of a partition, or of a week's metrics where there is no tier.

    A finding is a sentence on something wrong, a note one on something that cannot be judged yet.
    """

    week_ending: date
    tier: str | None = None
    compared: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(database: Database, store: ObjectStore, prefix: str, week: date | None) -> Iterator[Verdict]:
    """Each partition, oldest week first, and after a week's partitions its metrics."""
    with database.transaction() as transaction:
        places = [Partition(**row) for row in transaction.rows("verifiable", week=week)]
    for friday, partitions in groupby(places, key=lambda place: place.week_ending):
        for partition in partitions:
            yield _partition(database, store, prefix, partition)
        yield _metrics(database, friday)


def _partition(database: Database, store: ObjectStore, prefix: str, partition: Partition) -> Verdict:
    """Replay the captures on an empty copy of the records; no capture comes in meanwhile, and readers read on."""
    place, verdict = asdict(partition), Verdict(partition.week_ending, partition.tier)
    recompute = lru_cache(CONTENTS)(lambda raw: evidence.recompute(store, raw))
    rejects, unknown = dict[str, pa.Table](), set[str]()  # by raw keys
    with database.transaction() as transaction:
        transaction.rows("lock_partition", **place)
        for statement in ("plan_for_a_week", "create_stand_in", "use_stand_in"):
            transaction.run(statement)
        names, captures = apply.load_names(transaction), transaction.rows("captures", **place)
        counting, before = persist.effective_captures(captures), None
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
            verdict.findings.append(f"Capture {row['capture_id']}, which brought {row['key']}, is not in the table.")
        verdict.findings += _rejects(rejects, unknown, transaction.rows("stored_rejects", **place))
        if unknown:
            verdict.notes.append("Its records were not compared.")
        else:
            verdict.findings += _records(transaction.rows("differing_records", **place))
        verdict.compared = {"captures": len(captures)} | transaction.rows("count_stand_in")[0]
        transaction.connection.rollback()
    verdict.findings = list(dict.fromkeys(verdict.findings))
    return verdict


def _misapplied(captures: Sequence[Row], counting: Sequence[Row]) -> Iterator[str]:
    """Captures whose records are in although they should not be, or the other way round."""
    for capture in captures:
        if capture["persisted_at"] and capture not in counting:
            why = "withdrawn" if capture["is_withdrawn"] else "without any record"
            yield f"Capture {capture['capture_id']} is {why}, but its records are in."
        elif capture in counting and not capture["persisted_at"]:
            yield f"Capture {capture['capture_id']} counts, but its records are not in: see `otcpipe reconcile`."


def _capture(
    store: ObjectStore, capture: Row, fetched: Key, recompute: Recompute, verdict: Verdict
) -> Evidence | None:
    """What follows from a capture's bytes; nothing where they or the code are not those that it came from."""
    number, raw = capture["capture_id"], fetched.parse_other(capture["raw_key"])
    verdict.findings += evidence.check_observation(store, fetched, capture)
    try:
        if capture["normalized_key"] is None:
            evidence.content(store, raw)
            verdict.notes.append(f"Capture {number} is not in yet: see `otcpipe status`.")
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
        verdict.findings.append(f"{raw} is not what today's code reads: {error}")
        return None
    verdict.findings += evidence.compare(capture, found.columns, "its raw bytes")
    verdict.findings += found.findings
    if capture["record_total"] not in (None, found.columns["rows"]):
        told = f"Capture {number}: its source told of {capture['record_total']:,} rows"
        verdict.findings.append(f"{told}, its raw bytes have {found.columns['rows']:,}.")
    return found if capture["normalized_key"] == found.columns["normalized_key"] else None


def _rejects(expected: Mapping[str, pa.Table], unknown: Container[str], stored: Sequence[Row]) -> list[str]:
    """The table against what is a reject by the raw bytes, as far as those could be read."""
    there = {(row["raw_key"], row["line"]): (row["reason"], row["text"]) for row in stored}
    wanted = {
        (key, row["line"]): (row["reason"], row["text"])
        for key, table in expected.items()
        for row in table.to_pylist()
    }
    return _few(
        f"Line {place[1]} of {place[0]} {_whether(place in there, place in wanted)}."
        for place in sorted(wanted | there)
        if wanted.get(place) != there.get(place) and place[0] not in unknown
    )


def _whether(is_stored: bool, is_computed: bool) -> str:
    if is_stored and is_computed:
        return "is a reject in other words than the table's"
    return "is a reject in the table and not by its raw bytes" if is_stored else "is a reject and not in the table"


def _records(rows: Sequence[Row]) -> list[str]:
    return _few(
        (
            f"The record of {row['symbol'] or 'no symbol'} at {row['venue']} that capture {row['capture_id']} "
            f"brought {_difference(row, 'the raw bytes')}."
            for row in rows
        ),
        rows[0]["differing"] if rows else 0,
    )


def _metrics(database: Database, week: date) -> Verdict:
    found, waiting = compute.find_differences(database, week)
    verdict = Verdict(week, compared={"metrics": len(found.keys() - waiting)})
    for metric, rows in found.items():
        if metric in waiting:
            verdict.notes.append(f"{metric} is not computed yet.")
            continue
        total = rows[0]["differing"] if rows else 0
        verdict.findings += _few(
            (f"{metric} {row['place']} {_difference(row, 'its records')}." for row in rows), total
        )
    return verdict


def _difference(row: Row, source: str) -> str:
    if not row["is_stored"]:
        return f"follows from {source} and is not in the table"
    if not row["is_computed"]:
        return f"is in the table and does not follow from {source}"
    pairs = {name: [value or "nothing" for value in pair] for name, pair in row["differences"].items()}
    return f"has {'; '.join(f'{name} {was}, by {source} {right}' for name, (was, right) in pairs.items())}"


def _few(sentences: Iterable[str], total: int = 0) -> list[str]:
    """The first sentences, and how many more there are of that kind."""
    found = list(sentences)
    more = max(total, len(found)) - SHOWN
    return [*found[:SHOWN], f"And {more:,} more of the like."] if more > 0 else found
