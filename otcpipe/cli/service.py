"""Processes that stay, beside the workers."""

import signal
import threading

from otcpipe import logs, services, telemetry
from otcpipe.cli.console import say


def serve_telemetry() -> None:
    """Answer Prometheus until a signal."""
    settings = services.settings()
    logs.configure(settings)
    over = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: over.set())
    server = telemetry.serve(settings)
    say(f"Telemetry: http://{settings['TELEMETRY_HOST']}:{settings['TELEMETRY_PORT']}/metrics. Ctrl-C stops it.")
    over.wait()
    server.shutdown()
