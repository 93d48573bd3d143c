"""The clock: APScheduler wakes the process when a job may be due. The fires in PostgreSQL decide what is due."""

import signal
from collections.abc import Callable
from datetime import datetime

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.combining import OrTrigger

from otcpipe.schedule import plan
from otcpipe.schedule.jobs import JOBS
from otcpipe.schedule.stop_signals import stop_signals
from otcpipe.settings import Settings
from otcpipe.weeks import NEW_YORK


def run(wake: Callable[[], object], settings: Settings) -> None:
    """Call `wake` at once, to catch up, and then at every job's times, until a stop signal; running jobs finish."""
    triggers = [plan.trigger(job.setting, settings[job.setting]) for job in JOBS]
    ending = stop_signals()
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # in this thread and those it starts: sigwait gets them
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
    signal.sigwait(ending)
    scheduler.shutdown(wait=True)
