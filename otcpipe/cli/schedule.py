"""The scheduler's commands."""

import logging
from datetime import datetime

from otcpipe import broker, logs, schedule, services
from otcpipe.cli.console import print_json, print_table, say
from otcpipe.errors import OtcpipeError
from otcpipe.weeks import NEW_YORK

COLUMNS = {"job": "job", "schedule": "schedule", "last": "last", "next": "next, New York"}
log = logging.getLogger("otcpipe.schedule")


def run() -> None:
    """Fire what is due until a signal."""
    logs.configure(services.settings())
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    schedule.begin(services.warehouse(), services.settings().now())
    say("The scheduler runs; `otcpipe schedule --list` shows when what is due. Ctrl-C stops it.")
    schedule.run(_wake, services.settings())
    say("The scheduler stopped.")


def once() -> None:
    """Fire what is due, and end."""
    now = services.settings().now()
    schedule.begin(services.warehouse(), now)
    broker.reach()
    fired = schedule.fire_due(_occasion(now))
    say(f"Fired {', '.join(fired)}." if fired else "Nothing is due.")


def show(*, as_json: bool) -> None:
    now = services.settings().now()
    found = schedule.upcoming(services.warehouse(), services.settings(), now)
    if as_json:
        print_json([vars(one) for one in found])
        return
    rows = [vars(one) | {"last": _told(one.last) or "never", "next": _told(one.next) or "off"} for one in found]
    print_table(COLUMNS, rows)


def _wake() -> None:
    """A server that is down puts off what is due until the next time."""
    try:
        broker.reach()
        schedule.fire_due(_occasion(services.settings().now()))
    except OtcpipeError as error:
        log.warning("Put off: %s", error)


def _occasion(now: datetime) -> schedule.Occasion:
    return schedule.Occasion(now, services.warehouse(), services.settings(), broker.send, broker.send_stranded)


def _told(moment: datetime | None) -> str:
    return f"{moment.astimezone(NEW_YORK):%a %m-%d %H:%M}" if moment else ""
