"""Serve telemetry, and print the doctor's findings."""

import signal
import sys
import threading
from collections.abc import Iterable
from dataclasses import asdict

from otcpipe import resources, settings
from otcpipe.cli.console import say
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.errors import Invalid, Unreachable
from otcpipe.monitoring import doctor, telemetry
from otcpipe.monitoring.doctor import Finding
from otcpipe.schedule.stop_signals import stop_signals
from otcpipe.settings import logs


def serve_telemetry() -> None:
    """Serve figures to Prometheus until a stop signal."""
    found = resources.settings()
    logs.configure(found)
    over = threading.Event()
    for ending in stop_signals():
        signal.signal(ending, lambda *_: over.set())
    server = telemetry.serve(found)
    say(f"Telemetry: http://{found['TELEMETRY_HOST']}:{found['TELEMETRY_PORT']}/metrics. Ctrl-C stops it.")
    over.wait()
    server.shutdown()


def examine(queue: str | None, form: Form) -> None:
    """Print the findings. Exits with 3 if a server is unreachable, else with 1 if a check failed, else with 0."""
    found = list[Finding]()
    for finding in _findings(queue):
        found.append(finding)
        if form is Form.TABLE:
            say(f"{finding.verdict:<5} {finding.check:<11} {finding.finding} {finding.advice}".rstrip())
    write(form, [asdict(finding) for finding in found])
    if any(finding.is_unreachable for finding in found):
        sys.exit(Unreachable.exit_code)
    sys.exit(int(any(finding.verdict == "fail" for finding in found)))


def _findings(queue: str | None) -> Iterable[Finding]:
    try:
        found = settings.load()
    except Invalid as error:
        return [Finding("settings", "fail", str(error))]
    return [doctor.consumer(found, queue)] if queue else doctor.examine(found)
