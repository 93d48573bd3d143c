"""The schedule: jobs, the times at which they are due, and the clock that wakes the process."""

from otcpipe.schedule.clock import run
from otcpipe.schedule.fires import begin, fire_due, upcoming
from otcpipe.schedule.job import Job, JobContext
from otcpipe.schedule.jobs import JOBS

__all__ = ["JOBS", "Job", "JobContext", "begin", "fire_due", "run", "upcoming"]
