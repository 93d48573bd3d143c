"""Another user of this machine, who knows every port and has no credentials."""

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

from otcpipe.stack import binaries

STRANGER = 54321  # no user of any machine; as root a process can become it, others try as themselves
SECONDS = 3.0
PAGES = (
    *("/", "/status", "/stats", "/stats/disk", "/metrics", "/ui/index.html", "/healthz", "/debug/pprof/"),
    *("/dir/status", "/vol/status", "/cluster/status", "/dir/assign", "/dir/lookup?volumeId=1", "/col/delete"),
    *("/buckets/", "/buckets/otcpipe/", "/buckets/otcpipe/kept", "/otcpipe/", "/otcpipe/kept", "/1,0100000000"),
    *("/api/config", "/api/cluster/topology", "/?Action=ListUsers&Version=2010-05-08"),
)
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
# What Go's server says to a request without encryption, and all that it says.
REFUSAL = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


def identity(user: int = STRANGER) -> dict[str, object]:
    """For subprocess: another user, where this one may become it."""
    return {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}


@contextmanager
def place() -> Iterator[Path]:
    """A directory of the stranger's own, with a `weed` in it."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        shutil.copy(binaries.seaweed(), directory / "weed")
        (directory / "home").mkdir()
        if os.geteuid() == 0:
            os.chown(directory / "home", STRANGER, STRANGER)
        yield directory


def run(directory: Path, *command: str, text: str = "", user: int = STRANGER) -> str:
    """What a program says to the stranger before it ends, or before it is stopped."""
    home = directory / "home"
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=home,
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        **identity(user),  # type: ignore[call-overload]
    )
    try:
        return str(process.communicate(text, timeout=2 * SECONDS)[0])
    except subprocess.TimeoutExpired:
        process.kill()
        return str(process.communicate()[0])


def ask(port: int, request: bytes, protocol: str | None = None) -> bytes | None:
    """What a port answers to these bytes, over TLS if a protocol is named; None if nothing speaks TLS there."""
    answer = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), SECONDS) as plain:
        try:
            client = _encrypted(plain, protocol) if protocol else plain
        except OSError:
            return None
        with client:
            client.settimeout(SECONDS)
            client.sendall(request)
            while part := client.recv(65536):
                answer += part
    return answer


def pages(port: int) -> dict[str, bytes]:
    """What a port answers to requests over HTTP, plain and encrypted."""
    found = {}
    for protocol in (None, "http/1.1"):
        for page, method in product(PAGES, ("GET", "POST", "DELETE")):
            request = f"{method} {page} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"
            answer = ask(port, request.encode(), protocol)
            if answer is None:
                break
            found[f"{method} {page} {protocol}"] = answer
    return found


def _encrypted(plain: socket.socket, protocol: str) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(plain)
