"""A server that costs next to no CPU: FINRA's pages of full-size weeks, made beforehand and kept in files.

Run as `python -m benchmark.pages FIRST LAST`, the numbers of weeks; it prints its URL when all pages are made.
"""

import argparse
import gzip
import json
from collections.abc import Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from benchmark import weeks
from otcpipe.datasets import WEEKLY
from otcpipe.records import Page
from otcpipe.stages import paging
from tests.finra_server.rows import json_value

FOLDER = weeks.HERE / "pages"
FAST = 1  # compression level: the client expands it, as it does FINRA's


def make(number: int, *, is_small: bool) -> None:
    """Write the pages that the fetch stage asks for of a week, unless they exist."""
    for partition in weeks.partitions(number):
        folder = _folder(is_small, str(partition.week_start), partition.tier)
        if not (folder / "total").exists():
            folder.mkdir(parents=True, exist_ok=True)
            header, *rows, _ = weeks.content(partition, is_small=is_small).split(b"\n")
            paging.read_partition(partition, partial(_make_page, folder, header, rows))
            (folder / "total").write_text(str(len(rows)))


def _make_page(
    folder: Path, header: bytes, rows: list[bytes], offset: int, limit: int, /, *, is_json: bool | None = None
) -> Page:
    chosen = rows[offset : offset + limit]
    text = f"[{','.join(map(_object, chosen))}]".encode() if is_json else b"\n".join([header, *chosen, b""])
    (folder / _name(offset, is_json=bool(is_json))).write_bytes(gzip.compress(text, FAST, mtime=0))
    return Page(header, tuple(chosen), len(rows), "", is_escaped=bool(is_json))


def _object(row: bytes) -> str:
    values = zip(WEEKLY.api_fields, row.decode().split("|"), strict=True)
    members = [f'"{name}":{json_value(name, value)}' for name, value in values]
    return f"{{{','.join(members)}}}"


def _folder(is_small: bool, monday: str, tier: str) -> Path:
    return FOLDER / ("small" if is_small else "full") / monday / tier


def _name(offset: int, *, is_json: bool) -> str:
    return f"{offset}.{'json' if is_json else 'psv'}.gz"


class _Pages(BaseHTTPRequestHandler):
    """Answers a request for a page with its file, any other with 204: nothing is published."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    is_small: ClassVar[bool]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wanted = {one["fieldName"]: one["fieldValue"] for one in body["compareFilters"]}
        folder = _folder(self.is_small, wanted["weekStartDate"], wanted["tierIdentifier"])
        is_json = "json" in self.headers["Accept"]
        page = folder / _name(body["offset"], is_json=is_json)
        if not page.exists():
            self._answer(204, b"", {})
            return
        total = {"Record-Total": (folder / "total").read_text(), "Content-Encoding": "gzip"}
        self._answer(
            200, page.read_bytes(), total | {"Content-Type": "application/json" if is_json else "text/plain"}
        )

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmark.pages", description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--small", action="store_true")
    asked = parser.parse_args()
    for number in range(asked.first, asked.last + 1):
        make(number, is_small=asked.small)
    _Pages.is_small = asked.small
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
