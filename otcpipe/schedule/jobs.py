"""The jobs: each asks what is due and missing, so that one that comes late or twice does the same."""

import logging
import uuid
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from datetime import date, datetime

from otcpipe import weeks
from otcpipe.pipeline import coverage, dead_letters, definition, planning
from otcpipe.pipeline.ledger import Run
from otcpipe.pipeline.planning import Send
from otcpipe.pipeline.refresh import most_urgent, refreshable
from otcpipe.records import Partition
from otcpipe.settings import Settings
from otcpipe.stages import compute
from otcpipe.storage import keys
from otcpipe.storage.postgres import Warehouse
from otcpipe.storage.s3 import Store

REFRESH_REQUESTS = 500  # of one weekly refresh; what does not fit is more urgent the week after
FIRES_KEPT_DAYS = 400
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Occasion:
    """When and where a job runs, how it sends the runs that it finds due, and how those are sent that got lost."""

    now: datetime
    warehouse: Warehouse
    store: Store
    settings: Settings
    send: Send
    send_stranded: Callable[[], Sized]


@dataclass(frozen=True)
class Job:
    """What is done, and the setting that says when; the answer is a sentence for the log."""

    name: str
    setting: str
    do: Callable[[Occasion], str]


def fetch_missing(occasion: Occasion, *tiers: str) -> str:
    wanted = planning.wanted(occasion.warehouse, occasion.now, occasion.settings.since, tiers)
    missing = planning.missing(wanted, planning.states(occasion.warehouse, wanted), occasion.now)
    _ask(occasion, missing)
    return f"{len(missing):,} partitions of {', '.join(tiers)} were due and missing."


def recompute_stale(occasion: Occasion) -> str:
    """Weeks that a runner left due, and those whose metrics are of older code; one run a week does all of it."""
    with occasion.warehouse.transaction() as transaction:
        rows = transaction.rows("stale_weeks", code_version=compute.VERSION)
    for row in rows:
        key = keys.parse(row["key"], occasion.settings["S3_PREFIX"])
        run = Run(definition.named("compute"), key, row["generation"], request=f"stale {uuid.uuid4()}")
        planning.submit(occasion.warehouse, run, occasion.send)
    return f"{len(rows):,} weeks had stale metrics."


def reconcile(occasion: Occasion) -> str:
    return f"{len(occasion.send_stranded()):,} runs were due without anybody at them."


def refresh(occasion: Occasion) -> str:
    known = refreshable(occasion.warehouse, date.min)
    states = planning.states(occasion.warehouse, [one.partition for one in known])
    idle = [one for one in known if states.get(one.partition) not in planning.UNDER_WAY]
    chosen = most_urgent(idle, occasion.now, REFRESH_REQUESTS)
    partitions = [one.partition for one in chosen]
    _ask(occasion, partitions)
    return f"{len(chosen):,} of {len(known):,} partitions are asked for again."


def _ask(occasion: Occasion, partitions: Sequence[Partition]) -> None:
    prefix = occasion.settings["S3_PREFIX"]
    planning.ask(occasion.warehouse, occasion.store, prefix, partitions, occasion.send, occasion.now)


def check(occasion: Occasion) -> str:
    """Warn of what is late, failed or held and of dead letters; forget fires of long ago."""
    troubles = coverage.troubles(coverage.cells(occasion.warehouse, occasion.now, occasion.settings.since))
    dead = dead_letters.find(occasion.warehouse, every=False)
    for trouble in troubles:
        log.warning(trouble)
    if dead:
        log.warning("%d dead letters are open: see `otcpipe dlq list`.", len(dead))
    with occasion.warehouse.transaction() as transaction:
        transaction.run("drop_old_fires", days=FIRES_KEPT_DAYS, now=occasion.now)
    newest = ", ".join(f"{tier} {weeks.newest_published(occasion.now, tier)}" for tier in weeks.DELAY)
    return f"{len(troubles):,} gaps and {len(dead):,} dead letters need somebody; the newest weeks due are {newest}."


JOBS = (
    Job("otc-tier1-weekly", "SCHEDULE_TIER1", lambda occasion: fetch_missing(occasion, "T1")),
    Job("otc-tier2-weekly", "SCHEDULE_TIER2", lambda occasion: fetch_missing(occasion, "T2", "OTCE")),
    Job("otc-rolling-weekly", "SCHEDULE_ROLLING", recompute_stale),
    Job("otc-publication", "SCHEDULE_PUBLICATION", lambda occasion: fetch_missing(occasion, "T1", "T2", "OTCE")),
    Job("otc-reconcile", "SCHEDULE_RECONCILE", reconcile),
    Job("otc-refresh-weekly", "SCHEDULE_REFRESH", refresh),
    Job("otc-check-daily", "SCHEDULE_CHECK", check),
)
