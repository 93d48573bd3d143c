"""Run the checks: one finding for each, even if servers are down."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from otcpipe.broker.activity import this_host
from otcpipe.broker.queues import Queues
from otcpipe.errors import OtcpipeError, Unreachable
from otcpipe.monitoring.checks import CHECKS, Check
from otcpipe.monitoring.context import CheckContext
from otcpipe.pipeline.definition import named
from otcpipe.settings import Settings


@dataclass(frozen=True)
class Finding:
    """The result of a check: a verdict (ok, warn or fail), a sentence on what was found, and one on what to do."""

    check: str
    verdict: str
    finding: str
    advice: str = ""
    is_unreachable: bool = False


def examine(settings: Settings, checks: Iterable[Check] = CHECKS) -> Iterator[Finding]:
    """Yield the findings in order; a check that depends on a failed one is skipped with a warning."""
    context, failed = CheckContext(settings), set[str]()
    for name, needs, check in checks:
        missing = [need for need in needs if need in failed]
        if missing:
            found = Finding(name, "warn", f"Not checked, because {missing[0]} failed.")
        else:
            try:
                found = Finding(name, *check(context))
            except OtcpipeError as error:
                found = Finding(name, "fail", str(error), is_unreachable=isinstance(error, Unreachable))
        if missing or found.verdict == "fail":
            failed.add(name)
        yield found


def consumer(settings: Settings, queues: str) -> Finding:
    """Check that workers of this machine consume queues, separated by spaces: a health check for containers."""
    chosen, found = [named(name).name for name in queues.split() or [queues]], Queues(settings["REDIS_URL"]).all()
    missing = [name for name in chosen if this_host() not in found[name].consumers]
    if missing:
        return Finding(
            "queues", "fail", f"No worker of this machine consumes {', '.join(missing)}.", "Start it again."
        )
    return Finding("queues", "ok", f"A worker of this machine consumes {', '.join(chosen)}.")
