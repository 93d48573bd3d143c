"""The clock: APScheduler wakes the process whenever some job may be due. What is due, the fires in Postgres say."""

import signal
from collections.abc import Callable
from datetime import datetime

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.combining import OrTrigger

from otcpipe.schedule import plan
from otcpipe.schedule.jobs import JOBS
from otcpipe.settings import Settings
from otcpipe.weeks import NEW_YORK

ENDINGS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def run(wake: Callable[[], object], settings: Settings) -> None:
    """Wake at once, to catch up, and then at every job's times, until a signal; what runs then is finished first."""
    triggers = [plan.trigger(job.setting, settings[job.setting]) for job in JOBS]
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)  # in this thread and those it starts: sigwait gets them
    scheduler = BackgroundScheduler(timezone=NEW_YORK)
    scheduler.add_job(
        wake,
        OrTrigger([trigger for trigger in triggers if trigger]),
        misfire_grace_time=None,
        coalesce=True,
        max_instances=1,
        next_run_time=datetime.now(NEW_YORK),
    )
    scheduler.start()
    signal.sigwait(ENDINGS)
    scheduler.shutdown(wait=True)
