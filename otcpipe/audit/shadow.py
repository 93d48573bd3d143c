"""Run today's code over stored raw objects into a schema of its own, and compare the result with what is live.

Nothing live is changed: every statement that writes runs in the shadow's schema, under locks of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import lru_cache

from otcpipe.errors import Damaged, Invalid, OtcpipeError, Permanent
from otcpipe.metrics import completion
from otcpipe.metrics.definitions import WEEK, Metric, max_lookahead, metrics
from otcpipe.records import Partition
from otcpipe.stages import compute, evidence, persist
from otcpipe.stages.apply import Load
from otcpipe.storage import keys
from otcpipe.storage.keys import Key
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore
from otcpipe.text.tables import Normalized

SCHEMA = "otc_shadow"
CACHED_CONTENTS = 2  # in memory at once: a capture is compared with the one before it


@dataclass(frozen=True)
class Outline:
    """The loaded weeks to compare, and all that are run: also those before them that their metrics read."""

    weeks: tuple[date, ...]
    run: tuple[date, ...]
    unread: tuple[date, ...]  # loaded weeks before those that are run
    captures: int
    rows: int
    records: int

    def is_comparable(self, metric: Metric, week: date) -> bool:
        """Return whether all loaded weeks that the metric's week reads are run."""
        return not self.unread or week - metric.lookahead_weeks * WEEK > self.unread[-1]


def outline(database: Database, first: date, last: date) -> Outline:
    """Return what a shadow of these weeks runs; raises Invalid if none of them is loaded."""
    with database.transaction() as transaction:
        found = transaction.rows("shadow_weeks", last=last)
    weeks = tuple(row["week_ending"] for row in found if row["week_ending"] >= first)
    if not weeks:
        raise Invalid("None of these weeks is loaded: `otcpipe coverage` lists those that are.")
    rows = [row for row in found if row["week_ending"] >= weeks[0] - max_lookahead() * WEEK]
    run = tuple(row["week_ending"] for row in rows)
    unread = tuple(row["week_ending"] for row in found if row["week_ending"] < run[0])
    sums = (sum(row[name] for row in rows) for name in ("captures", "rows", "records"))
    return Outline(weeks, run, unread, *sums)


@contextmanager
def prepared(database: Database, shadow: Database, chosen: Outline, *, keep: bool) -> Iterator[None]:
    """Create the shadow with the captures that are to be run, and drop it at the end unless it is kept.

    Raises OtcpipeError while another process has a shadow.
    """
    with database.transaction() as transaction:
        transaction.run("wait_without_end")
        if not transaction.rows("try_shadow")[0]["is_locked"]:
            raise OtcpipeError("Another process runs a shadow of this database: wait for its end.")
        drop(shadow)
        try:
            shadow.migrate()
            with database.transaction() as first:
                first.script(first.text("fill_shadow"), first=chosen.run[0], last=chosen.run[-1])
            yield
        finally:
            if not keep:
                drop(shadow)


def drop(shadow: Database) -> None:
    """Drop the shadow, if there is one."""
    with shadow.transaction() as transaction:
        transaction.script(transaction.text("drop_schemas"))


def partitions(shadow: Database) -> list[Partition]:
    """Return the partitions to run, oldest first."""
    with shadow.transaction() as transaction:
        return [Partition(**row) for row in transaction.rows("shadow_partitions")]


def replay(shadow: Database, store: ObjectStore, prefix: str, partition: Partition, now: datetime) -> list[str]:
    """Parse, normalize and persist the captures of a partition; return a sentence for each that cannot be read."""
    with shadow.transaction() as transaction:
        captures = transaction.rows("captures", **asdict(partition))
    raws = {row["capture_id"]: keys.parse(row["raw_key"], prefix) for row in captures}
    by_normalized = {str(evidence.normalized_key(raw)): raw for raw in raws.values()}
    derive = lru_cache(CACHED_CONTENTS)(lambda raw: evidence.derive(store, raw))

    def load(key: str) -> Normalized:
        return derive(by_normalized[key])

    return [finding for number, raw in raws.items() if (finding := _persist(shadow, number, raw, load, now))]


def _persist(shadow: Database, number: int, raw: Key, load: Load, now: datetime) -> str | None:
    try:
        with suppress(Permanent):  # none of its rows is a record: the captures of the shadow show it
            persist.persist(shadow, number, evidence.normalized_key(raw), load, now)
    except (Damaged, Invalid) as error:
        return f"Capture {number} cannot be read by today's code: {error}"
    return None


def settle(shadow: Database, chosen: Outline) -> None:
    """Forget what is due of weeks that are not run. Call it when all captures are replayed."""
    with shadow.transaction() as transaction:
        transaction.run("keep_marks_of_weeks", first=chosen.run[0], last=chosen.run[-1])


def compute_week(shadow: Database, week: date) -> None:
    """Compute the metrics of a week, and those that are due of the weeks around it."""
    compute.compute(shadow, week)


def complete(shadow: Database, chosen: Outline) -> None:
    """Compute the deferred metrics of the weeks to compare, as far as all weeks that they read are run."""
    for metric in metrics():
        comparable = [week for week in chosen.weeks if chosen.is_comparable(metric, week)]
        if metric.is_deferred and comparable:
            completion.complete(shadow, [metric.name], comparable[0], comparable[-1])
