"""Readers of the pages at once, on a running stack: `python -m benchmark.readers --origin http://127.0.0.1:8421`."""

import argparse
import itertools
import statistics
import threading
import time
from urllib.parse import quote

import requests


def main() -> None:
    """Let readers ask for pages and for the API, one question after another, and print how long answers took."""
    asked = _arguments()
    symbols = [row["symbol"] for row in requests.get(f"{asked.origin}/api/v1/top?number=200", timeout=30).json()]
    paths = itertools.cycle(["/", "/venues", *(path for symbol in symbols for path in _of_symbol(symbol))])
    lock, deadline = threading.Lock(), time.monotonic() + asked.seconds
    took: list[float] = []
    wrong: list[str] = []

    def read() -> None:
        with requests.Session() as session:
            while time.monotonic() < deadline:
                with lock:
                    path = next(paths)
                begun = time.perf_counter()
                answer = session.get(asked.origin + path, timeout=60)
                with lock:
                    took.append(time.perf_counter() - begun)
                    if answer.status_code >= 400:  # noqa: PLR2004
                        wrong.append(f"{answer.status_code} {path}")

    readers = [threading.Thread(target=read) for _ in range(asked.readers)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    middle, most = statistics.median(took), statistics.quantiles(took, n=20)[-1]
    print(f"{asked.readers} readers, {len(took)} answers in {asked.seconds} s: {len(wrong)} errors, ", end="")
    print(f"half within {1000 * middle:.0f} ms, 95 % within {1000 * most:.0f} ms, the last {1000 * max(took):.0f} ms")
    for line in sorted({*wrong}):
        print(line)


def _of_symbol(symbol: str) -> tuple[str, ...]:
    name = quote(symbol, safe="")
    return f"/symbol/{name}", f"/api/v1/symbol-weeks?symbol={name}&weeks=52"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmark.readers", description=__doc__)
    parser.add_argument("--origin", default="http://127.0.0.1:8421", help="where `otcpipe serve` listens")
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    main()
