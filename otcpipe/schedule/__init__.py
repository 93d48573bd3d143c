"""What runs every week: jobs, the times at which they are due, and the clock that wakes them."""

from otcpipe.schedule.clock import run
from otcpipe.schedule.fires import begin, fire_due, upcoming
from otcpipe.schedule.jobs import JOBS, Job, Occasion

__all__ = ["JOBS", "Job", "Occasion", "begin", "fire_due", "run", "upcoming"]
