"""Time the pages of `otcpipe serve`, as a browser asks for them."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote

import requests

from benchmark.measure import Cost, measured

START_SECONDS = STOP_SECONDS = 60
ANY = "/static/style.css"
PAGES = {"home": "/", "a symbol": "/symbol/{}", "a symbol, all weeks": "/symbol/{}?weeks=1040", "venues": "/venues"}


def pages(symbol: str) -> dict[str, tuple[Cost, Cost]]:
    """Return for each page the time of its first answer and of the next one, which is kept."""
    with serving() as origin, requests.Session() as session:
        return {
            name: (_answer(session, origin + path), _answer(session, origin + path))
            for name, path in ((name, path.format(quote(symbol, safe=""))) for name, path in PAGES.items())
        }


@contextmanager
def serving() -> Iterator[str]:
    """Run the web application on a free port; yield its origin when it answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    command = [sys.executable, "-m", "otcpipe", "serve", "--port", str(port)]
    process = subprocess.Popen(command, stdout=sys.stderr, start_new_session=True)  # as `otcpipe up` starts it
    origin = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(requests.ConnectionError):
                requests.get(origin + ANY, timeout=START_SECONDS)
                break
            time.sleep(0.1)
        yield origin
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _answer(session: requests.Session, url: str) -> Cost:
    with measured(cost := Cost()):
        session.get(url, timeout=60).raise_for_status()
    return Cost(cost.seconds)
