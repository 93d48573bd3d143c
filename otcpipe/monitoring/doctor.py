"""Whether all is well with the servers and the work: one finding a check, whatever else is down."""

from collections.abc import Iterator
from dataclasses import dataclass

from otcpipe.broker.activity import this_host
from otcpipe.broker.queues import Queues
from otcpipe.errors import OtcpipeError, Unreachable
from otcpipe.monitoring.checks import CHECKS, Place
from otcpipe.pipeline.definition import named
from otcpipe.settings import Settings


@dataclass(frozen=True)
class Finding:
    """What a check found: ok, warn or fail, in a sentence, and in another what to do."""

    check: str
    verdict: str
    finding: str
    advice: str = ""
    is_unreachable: bool = False


def examine(settings: Settings) -> Iterator[Finding]:
    """All findings, in order; what rests on a thing that failed is not tried."""
    place, failed = Place(settings), set[str]()
    for name, needs, look in CHECKS:
        missing = [need for need in needs if need in failed]
        if missing:
            found = Finding(name, "warn", f"Not checked, since {missing[0]} failed.")
        else:
            try:
                found = Finding(name, *look(place))
            except OtcpipeError as error:
                found = Finding(name, "fail", str(error), is_unreachable=isinstance(error, Unreachable))
        if missing or found.verdict == "fail":
            failed.add(name)
        yield found


def consumer(settings: Settings, queue: str) -> Finding:
    """Whether a worker of this machine consumes a queue: a health check for workers."""
    if this_host() in Queues(settings["REDIS_URL"]).all()[named(queue).name].consumers:
        return Finding("queues", "ok", f"A worker of this machine consumes {queue}.")
    return Finding("queues", "fail", f"No worker of this machine consumes {queue}.", "Start it again.")
