"""The sockets: HTTP/1.1 with connections kept alive, and the ways to break them off."""

import socket
import struct
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Event

from .answer import Answer
from .faults import Fault, Framing, Kind
from .request import Request
from .service import Service

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass
class Seen:
    """A request in the log; status 0 while it has no answer.

    `at` is time.monotonic() when its first line was read: one clock for all processes of a machine.
    """

    at: float
    method: str
    path: str
    body: bytes
    status: int = 0
    fault: Fault | None = None


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, service: Service, port: int) -> None:
        self.service = service
        self.requests: list[Seen] = []
        self.refused = 0
        self.closing = Event()
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        self.open.add(connection)
        return connection, address

    def hang_up(self) -> None:
        """Ends the kept-alive connections: a server that is gone must not go on answering on them."""
        self.closing.set()
        for connection in tuple(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def verify_request(self, request: object, client_address: object) -> bool:
        if self.service.faults.refuses() is None:
            return True
        self.refused += 1
        _reset(request)
        return False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no error of the server; all else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def shutdown_request(self, request: object) -> None:
        """Closes at once: the shutdown that usually comes before it would hide a reset."""
        assert isinstance(request, socket.socket)
        self.open.discard(request)
        self.close_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "FinraServer"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Listener
    received: float

    def parse_request(self) -> bool:
        self.received = time.monotonic()
        return super().parse_request()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        listener = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = Seen(self.received, self.command, self.path, body)
        listener.requests.append(seen)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer, seen.fault = listener.service.respond(Request(self.command, self.path, headers, body))
        kind = seen.fault.kind if seen.fault else None
        if seen.fault and kind is Kind.HANG and listener.closing.wait(seen.fault.seconds):
            return
        if kind is Kind.DROP:
            self._break_off()
            return
        seen.status = answer.status
        self._send(answer, seen.fault)
        if kind is Kind.RESET:
            self._break_off()

    def _send(self, answer: Answer, fault: Fault | None) -> None:
        """Head and body in one write; a reset or cut one ends after half of the body."""
        kind = fault.kind if fault else None
        body, framing = answer.body, Framing.LENGTH
        if kind in (Kind.RESET, Kind.CUT):
            body, framing = body[: len(body) // 2], Framing.FULL_LENGTH
        if fault and kind is Kind.TRUNCATED:
            body, framing = body[: fault.keep] if fault.in_gzip else body, fault.framing
        self.send_response(answer.status)
        more = {"X-Wide": "x" * fault.size} if fault and kind is Kind.WIDE_HEADER else {}
        for name, value in {**answer.headers, **more}.items():
            self.send_header(name, value)
        if framing in (Framing.LENGTH, Framing.FULL_LENGTH) and answer.status != 204:
            self.send_header("Content-Length", str(len(body if framing is Framing.LENGTH else answer.body)))
        if framing in (Framing.CHUNKED, Framing.BROKEN_CHUNKS):
            self.send_header("Transfer-Encoding", "chunked")
            end = b"0\r\n\r\n" if framing is Framing.CHUNKED else b""
            body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + end
        lacks = framing is Framing.FULL_LENGTH and len(body) < len(answer.body)
        ends = framing in (Framing.CLOSE, Framing.BROKEN_CHUNKS) or lacks
        self.close_connection = self.close_connection or ends
        if fault and kind is Kind.DRIP:
            self._drip(body, fault)
            return
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _drip(self, body: bytes, fault: Fault) -> None:
        connection, self.wfile = self.wfile, BytesIO()
        self.end_headers()
        answer, self.wfile = self.wfile.getvalue() + body, connection
        self.wfile.write(answer[: fault.keep])
        self.wfile.flush()
        for byte in answer[fault.keep :]:
            if self.server.closing.wait(fault.seconds):
                break
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
        self.close_connection = True

    def _break_off(self) -> None:
        _reset(self.connection)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Nothing on the terminal: the requests are in the log."""


def _reset(connection: object) -> None:
    """Makes the close that follows a reset."""
    assert isinstance(connection, socket.socket)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
