"""Readers of the pages at once, on a running stack: `python -m benchmark.readers --origin http://127.0.0.1:8421`."""

import argparse
import http.client
import itertools
import json
import re
import signal
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from urllib.parse import quote, urlsplit

from otcpipe.stack import priority

SYMBOLS, PATIENCE = 200, 60  # seconds
NICENESS = 9  # readers are on other machines as a rule: here they are not to slow what they wait for
BEGUN = "Readers ask from now on."
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
PIECE = 1 << 16  # bytes


@dataclass(frozen=True)
class Answers:
    """How many answers came, which were errors, and within how many seconds a half, 95 % and all of them came."""

    number: int
    errors: list[str]
    half: float
    most: float
    all: float

    def __str__(self) -> str:
        half, most, last = (f"{1000 * seconds:.0f} ms" for seconds in (self.half, self.most, self.all))
        times = f"{self.number} answers, half within {half}, 95 % within {most}, the last {last}; "
        return times + ("\n".join(["errors:", *self.errors]) if self.errors else "no errors")


def main() -> None:
    """Let readers ask for pages and for the API, one question after another, until the time is over or SIGTERM."""
    asked = _arguments()
    priority.give_way(NICENESS)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    print(BEGUN, file=sys.stdout, flush=True)
    timer = threading.Timer(asked.seconds, over.set)
    timer.daemon = True
    timer.start()
    found = _read(urlsplit(asked.origin).netloc, asked.readers, over)
    timer.cancel()
    print(json.dumps(asdict(found)) if asked.json else found)


def _read(place: str, number: int, over: threading.Event) -> Answers:
    paths, lock = itertools.cycle(_paths(place)), threading.Lock()
    took: list[float] = []
    wrong: set[str] = set()

    def read() -> None:
        connection = _connect(place)
        is_over = False
        while not is_over:  # each asks once at least
            with lock:
                path = next(paths)
            begun = time.perf_counter()
            try:
                status = _status(connection, place, path)
            except OSError as error:
                connection.close()
                connection = _connect(place)
                status = str(error)
            took.append(time.perf_counter() - begun)
            if status != "200":
                wrong.add(f"{status} {path}")
            is_over = over.is_set()
        connection.close()

    readers = [threading.Thread(target=read) for _ in range(number)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return Answers(len(took), sorted(wrong), statistics.median(took), statistics.quantiles(took, n=20)[-1], max(took))


def _paths(place: str) -> list[str]:
    """Return what readers ask for: the pages of a week, and of its largest symbols their pages and numbers."""
    connection = http.client.HTTPConnection(place, timeout=PATIENCE)
    connection.request("GET", f"/api/v1/top?number={SYMBOLS}")
    symbols = [row["symbol"] for row in json.load(connection.getresponse())]
    connection.close()
    return ["/", "/venues", *(path for symbol in symbols for path in _of_symbol(symbol))]


def _of_symbol(symbol: str) -> Iterator[str]:
    name = quote(symbol, safe="")
    yield f"/symbol/{name}"
    yield f"/api/v1/symbol-weeks?symbol={name}&weeks=52"


def _connect(place: str) -> socket.socket:
    host, _, port = place.rpartition(":")
    return socket.create_connection((host, int(port)), PATIENCE)


def _status(connection: socket.socket, place: str, path: str) -> str:
    """Ask for a path and read the answer; return its status. A library for HTTP takes longer than the server does."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {place}\r\nAccept-Encoding: gzip\r\n\r\n".encode())
    head, body = b"", b""
    while not body and not head.endswith(b"\r\n\r\n"):
        head, end, body = (head + _piece(connection)).partition(b"\r\n\r\n")
        head += end
    length = LENGTH.search(head)
    rest = (int(length[1]) if length else 0) - len(body)
    while rest > 0:
        rest -= len(_piece(connection))
    return head.split(b" ", 2)[1].decode()


def _piece(connection: socket.socket) -> bytes:
    piece = connection.recv(PIECE)
    if not piece:
        raise ConnectionError("the server closed the connection")
    return piece


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmark.readers", description=__doc__)
    parser.add_argument("--origin", default="http://127.0.0.1:8421", help="where `otcpipe serve` listens")
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", action="store_true", help="print an object")
    return parser.parse_args()


if __name__ == "__main__":
    main()
