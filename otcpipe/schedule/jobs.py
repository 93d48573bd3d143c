"""The jobs. Each looks for what is due and missing, so that running late or twice makes no difference."""

import logging
import time
import uuid
from collections.abc import Sequence
from datetime import date

from otcpipe import weeks
from otcpipe.export import lake, target
from otcpipe.metrics import catalog, completion, history
from otcpipe.pipeline import coverage, dead_letters, definition, gaps, planning, sessions
from otcpipe.pipeline.ledger import Run
from otcpipe.pipeline.refresh import most_urgent, refreshable
from otcpipe.records import Partition
from otcpipe.schedule.job import Job, JobContext
from otcpipe.stages import versions
from otcpipe.storage import keys
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted

REFRESH_REQUESTS = 500  # of one weekly refresh; a partition that does not fit is more urgent a week later
FIRES_KEPT_DAYS = 400
HISTORY_SECONDS = 30  # of each time, in which no other job starts
log = logging.getLogger(__name__)


def fetch_missing(context: JobContext, *tiers: str) -> str:
    """Enqueue the fetches of partitions that are due and missing, of those of the tiers that are wanted."""
    wanted = [tier for tier in tiers if tier in context.settings.tiers]
    expected = planning.expected_partitions(context.database, context.now, context.settings.since, wanted)
    missing = planning.missing(expected, planning.states(context.database, expected), context.now)
    _enqueue(context, missing)
    if not wanted:
        return f"OTCPIPE_TIERS leaves out {', '.join(tiers)}."
    due = counted(len(missing), "partition was", "partitions were")
    return f"{due} due and missing ({', '.join(wanted)})."


def recompute_stale(context: JobContext) -> str:
    """Enqueue a compute run for each week that is still due, or whose metrics are of older code or sessions."""
    sessions.correct(context.database, context.now)
    with context.database.transaction() as transaction:
        rows = transaction.rows("stale_weeks", code_version=versions.COMPUTE)
    _enqueue_runs(context, rows, "stale")
    return f"{counted(len(rows), 'week')} had stale metrics."


def reconcile(context: JobContext) -> str:
    """Send lost runs."""
    return f"{len(context.send_lost_runs()):,} runs were due without a message or a worker."


def refresh(context: JobContext) -> str:
    """Enqueue the fetches of the partitions that are most likely restated, within the budget of requests."""
    known = refreshable(context.database, date.min, context.settings.tiers)
    states = planning.states(context.database, [one.partition for one in known])
    idle = [one for one in known if states.get(one.partition) not in planning.UNDER_WAY]
    chosen = most_urgent(idle, context.now, REFRESH_REQUESTS)
    partitions = [one.partition for one in chosen]
    _enqueue(context, partitions)
    return f"{len(chosen):,} of {counted(len(known), 'partition')} requested again."


def _enqueue_runs(context: JobContext, rows: Sequence[Row], why: str) -> None:
    for row in rows:
        key = keys.parse(row["key"], context.settings["S3_PREFIX"])
        run = Run(definition.named(row["stage"]), key, row["generation"], request=f"{why} {uuid.uuid4()}")
        planning.enqueue(context.database, run, context.send)


def _enqueue(context: JobContext, partitions: Sequence[Partition]) -> None:
    prefix = context.settings["S3_PREFIX"]
    planning.enqueue_fetches(context.database, context.store, prefix, partitions, context.send, context.now)


def build_histories(context: JobContext) -> str:
    """Complete weeks and build stale histories for a short time, then enqueue the weeks to be published, if any are.

    What is left is done at the next times, so that no other job waits long.
    """
    end = time.monotonic() + HISTORY_SECONDS
    found = completion.incomplete(context.database, settled=True)
    completed = sum(completion.complete_week(context.database, one) for one in found if time.monotonic() < end)
    stale = history.stale(context.database)
    done = sum(history.build_week(context.database, one) for one in stale if time.monotonic() < end)
    built = (
        f"{completed:,} of {counted(len(found), 'incomplete week')} were completed;"
        f" {done:,} of {counted(len(stale), 'stale week')} of metrics were built."
    )
    return f"{built} {_publish_rest(context)}".rstrip()


def _publish_rest(context: JobContext) -> str:
    """Enqueue the weeks of which the lake lacks something: completed later, or computed before there was a lake."""
    place = context.settings["PUBLISH"]
    if not place:
        return ""
    behind = lake.unpublished(context.database, target.of(place, context.settings), catalog.stored())
    with context.database.transaction() as transaction:
        rows = transaction.rows("unpublished", weeks=behind)
    _enqueue_runs(context, rows, "unpublished")
    return f"{counted(len(rows), 'week is', 'weeks are')} to be published."


def check(context: JobContext) -> str:
    """Log a warning for each gap and for open dead letters; delete old fires."""
    settings = context.settings
    cells = coverage.cells(context.database, context.now, settings.since, tiers=settings.tiers)
    sentences = gaps.describe(cells)
    dead = dead_letters.find(context.database, every=False)
    for sentence in sentences:
        log.warning(sentence)
    if dead:
        log.warning("%d dead letters are open: see `otcpipe dlq list`.", len(dead))
    with context.database.transaction() as transaction:
        transaction.run("drop_old_fires", days=FIRES_KEPT_DAYS, now=context.now)
    newest = ", ".join(f"{tier} {weeks.newest_published(context.now, tier)}" for tier in settings.tiers)
    attention = f"{counted(len(sentences), 'gap')} and {counted(len(dead), 'dead letter')}"
    return f"{attention} to look at; the newest weeks due are {newest}."


JOBS = (
    Job("otc-tier1-weekly", "SCHEDULE_TIER1", lambda context: fetch_missing(context, "T1")),
    Job("otc-tier2-weekly", "SCHEDULE_TIER2", lambda context: fetch_missing(context, "T2", "OTCE")),
    Job("otc-rolling-weekly", "SCHEDULE_ROLLING", recompute_stale),
    Job("otc-publication", "SCHEDULE_PUBLICATION", lambda context: fetch_missing(context, "T1", "T2", "OTCE")),
    Job("otc-reconcile", "SCHEDULE_RECONCILE", reconcile),
    Job("otc-refresh-weekly", "SCHEDULE_REFRESH", refresh),
    Job("otc-check-daily", "SCHEDULE_CHECK", check),
    Job("otc-alert", "SCHEDULE_ALERT", lambda context: context.alert()),
    Job("otc-history", "SCHEDULE_HISTORY", build_histories),  # last: the others do not wait for it
)
