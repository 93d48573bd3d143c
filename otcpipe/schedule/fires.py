"""Fires: each job runs once for each time that it is due, even with several schedulers."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from otcpipe.errors import OtcpipeError
from otcpipe.schedule import plan
from otcpipe.schedule.job import Job, JobContext
from otcpipe.schedule.jobs import JOBS
from otcpipe.settings import Settings
from otcpipe.storage.postgres import Database

PATIENCE = timedelta(minutes=10)  # after which an unfinished fire is taken over: its process died
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upcoming:
    """A job with its schedule's text, its last fire and its next fire."""

    job: str
    schedule: str
    last: datetime | None
    next: datetime | None


def begin(database: Database, since: datetime) -> None:
    """Insert jobs that the table lacks, so that their fires after `since` are due.

    At a process's first start that is now; later its last tick, as the rows may have been lost with the database.
    """
    with database.transaction() as transaction:
        transaction.run("begin_fires", jobs=[job.name for job in JOBS], now=since)


def fire_due(context: JobContext, jobs: Sequence[Job] = JOBS) -> list[str]:
    """Run each job that became due since its last fire, once however often; return the names of those that ran."""
    done = _last_fires(context.database)
    fired = []
    for job in jobs:
        trigger = plan.trigger(job.setting, context.settings[job.setting])
        at = plan.latest(trigger, done.get(job.name, context.now), context.now)
        if at and _fire(job, at, context):
            fired.append(job.name)
    return fired


def upcoming(database: Database, settings: Settings, now: datetime) -> list[Upcoming]:
    """Return all jobs with their last and next fires."""
    done = _last_fires(database)
    return [
        Upcoming(
            job.name,
            settings[job.setting],
            done.get(job.name),
            plan.following(plan.trigger(job.setting, settings[job.setting]), now),
        )
        for job in JOBS
    ]


def _last_fires(database: Database) -> dict[str, datetime]:
    with database.transaction() as transaction:
        return {row["job"]: row["scheduled_for"] for row in transaction.rows("last_fires")}


def _fire(job: Job, at: datetime, context: JobContext) -> bool:
    """Run one job for one time; return False if another scheduler has it, or if it failed and stays due."""
    identity = {"job": job.name, "scheduled_for": at}
    with context.database.transaction() as transaction:
        if not transaction.row("claim_fire", **identity, patience=PATIENCE):
            return False
    try:
        summary = job.do(context)
    except OtcpipeError as error:
        log.warning("%s of %s is postponed: %s", job.name, at.isoformat(), error)
        with context.database.transaction() as transaction:
            transaction.run("release_fire", **identity)
        return False
    with context.database.transaction() as transaction:
        transaction.run("finish_fire", **identity, outcome=summary)
    log.info("%s: %s", job.name, summary)
    return True
