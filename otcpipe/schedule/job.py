"""A job, and what it needs to run."""

from collections.abc import Callable, Sized
from dataclasses import dataclass
from datetime import datetime

from otcpipe.pipeline.planning import Send
from otcpipe.settings import Settings
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore


@dataclass(frozen=True)
class JobContext:
    """What a job needs: the time, the servers, the settings, how to send a run, lost runs and alerts."""

    now: datetime
    database: Database
    store: ObjectStore
    settings: Settings
    send: Send
    send_lost_runs: Callable[[], Sized]
    alert: Callable[[], str] = lambda: "No alert is sent."


@dataclass(frozen=True)
class Job:
    """A function with the setting that holds its schedule; it returns a sentence for the log."""

    name: str
    setting: str
    do: Callable[[JobContext], str]
