"""Fires: each job is done once for each time that it is due, whoever else runs a scheduler."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from otcpipe.errors import OtcpipeError
from otcpipe.schedule import plan
from otcpipe.schedule.jobs import JOBS, Job, JobContext
from otcpipe.settings import Settings
from otcpipe.storage.postgres import Database

PATIENCE = timedelta(minutes=10)  # then a fire that was begun and not finished is taken over: its process died
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upcoming:
    """A job with its schedule's text, its last fire and its next."""

    job: str
    schedule: str
    last: datetime | None
    next: datetime | None


def begin(database: Database, since: datetime) -> None:
    """Note jobs that the table does not know, so that their fires after a moment are due.

    At a process's first start that is now; later its last tick, since the rows may have been lost with the database.
    """
    with database.transaction() as transaction:
        transaction.run("begin_fires", jobs=[job.name for job in JOBS], now=since)


def fire_due(context: JobContext, jobs: Sequence[Job] = JOBS) -> list[str]:
    """Do each job whose time came since its last fire, once however often it came; the names of those done."""
    done = _last_fires(context.database)
    fired = []
    for job in jobs:
        trigger = plan.trigger(job.setting, context.settings[job.setting])
        at = plan.latest(trigger, done.get(job.name, context.now), context.now)
        if at and _fire(job, at, context):
            fired.append(job.name)
    return fired


def upcoming(database: Database, settings: Settings, now: datetime) -> list[Upcoming]:
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
    """One job for one time; false when another scheduler has it, or it did not succeed and stays due."""
    identity = {"job": job.name, "scheduled_for": at}
    with context.database.transaction() as transaction:
        if not transaction.row("claim_fire", **identity, patience=PATIENCE):
            return False
    try:
        told = job.do(context)
    except OtcpipeError as error:
        log.warning("%s of %s is put off: %s", job.name, at.isoformat(), error)
        with context.database.transaction() as transaction:
            transaction.run("release_fire", **identity)
        return False
    with context.database.transaction() as transaction:
        transaction.run("finish_fire", **identity, outcome=told)
    log.info("%s: %s", job.name, told)
    return True
