"""Check that ports refuse clients without a certificate."""

import socket
from collections.abc import Iterable

from otcpipe.errors import StackFailed

# The start of an unencrypted HTTP/2 connection with an empty SETTINGS frame, as gRPC sends it.
PLAIN_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SETTINGS = b"\x04"  # the type of the first frame in the answer of an open port
SECONDS = 2.0


def require(name: str, ports: Iterable[int]) -> None:
    """Raise StackFailed if one of these gRPC ports of 127.0.0.1 serves a client without a certificate."""
    for port in ports:
        if _is_open(port):
            raise StackFailed(
                f"{name} serves every user of this machine on port {port}, since it did not accept its certificate;"
                f" see its log, or set OTCPIPE_S3_ENDPOINT to a running server"
            )


def _is_open(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
            client.sendall(PLAIN_HTTP2)
            answer = client.recv(9)
    except OSError:  # refused, reset, or silent
        return False
    return answer[3:4] == SETTINGS
