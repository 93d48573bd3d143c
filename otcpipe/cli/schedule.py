"""Run the scheduler, or list its jobs."""

import logging
from datetime import datetime

from otcpipe import resources, schedule
from otcpipe.broker import actors
from otcpipe.cli import alert
from otcpipe.cli.console import print_table, say
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.errors import OtcpipeError
from otcpipe.schedule.purposes import PURPOSES
from otcpipe.settings import logs
from otcpipe.weeks import NEW_YORK

COLUMNS = {
    "job": key("Job"),
    "next": key("Next, New York"),
    "does": Column("Does", 1, is_prose=True),
    "last": Column("Last, New York", 3),
    "schedule": Column("Schedule", 2),
}
ABSENT = {"last": "never", "next": "off"}
log = logging.getLogger("otcpipe.schedule")


def run() -> None:
    """Fire jobs at their times until SIGINT or SIGTERM."""
    logs.configure(resources.settings())
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    schedule.begin(resources.database(), resources.settings().now())
    clock = Clock()
    say("The scheduler runs; `otcpipe schedule --list` shows the next time of each job. Ctrl-C stops it.")
    schedule.run(clock.tick, resources.settings())
    say("The scheduler stopped.")


def once() -> None:
    """Fire the jobs that are due now."""
    now = resources.settings().now()
    schedule.begin(resources.database(), now)
    actors.ping()
    fired = schedule.fire_due(_job_context(now))
    say(f"Fired {', '.join(fired)}." if fired else "Nothing is due.")


def show(form: Form) -> None:
    """Print each job's last and next fire, and what it does; the next to fire first, those that are off last."""
    now = resources.settings().now()
    upcoming = schedule.upcoming(resources.database(), resources.settings(), now)
    found = sorted(upcoming, key=lambda one: (one.next is None, one.next or now))
    rows = [vars(one) | {"does": PURPOSES[one.job]} for one in found]
    if not write(form, rows, COLUMNS):
        print_table(
            COLUMNS, [row | {name: _format(row[name]) or none for name, none in ABSENT.items()} for row in rows]
        )


class Clock:
    """Fires jobs that are due at each tick. If a server is down, they are fired at a later tick."""

    def __init__(self) -> None:
        self._ticked_at = resources.settings().now()
        self._outage = alert.Outage()

    def tick(self) -> None:
        now = resources.settings().now()
        try:
            actors.ping()
            schedule.begin(resources.database(), self._ticked_at)
            schedule.fire_due(_job_context(now))
        except OtcpipeError as error:
            log.warning("Put off: %s", error)
            self._outage.note(str(error), now)
        else:
            self._outage.end()
            self._ticked_at = now


def _job_context(now: datetime) -> schedule.JobContext:
    store, settings = resources.store(), resources.settings()
    send_lost = actors.send_lost_runs
    return schedule.JobContext(now, resources.database(), store, settings, actors.send, send_lost, alert.of_schedule)


def _format(moment: datetime | None) -> str:
    return f"{moment.astimezone(NEW_YORK):%a %Y-%m-%d %H:%M}" if moment else ""
