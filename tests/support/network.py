"""A network of a company: an HTTP proxy that wants a password, and TLS by a certificate authority of its own."""

import base64
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

USER, PASSWORD = "clerk", "s3 cret/@"
PROXY_USER = "clerk:s3%20cret%2F%40"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    seen: list[str]
    password: str | None
    target: int
    context: ssl.SSLContext | None


class _Proxy(BaseRequestHandler):
    def handle(self) -> None:
        """Connect to where CONNECT or an absolute URL says, if the password is right; then pass on all bytes."""
        server: Any = self.server
        head = b""
        while b"\r\n\r\n" not in head and (chunk := self.request.recv(65536)):
            head += chunk
        if not head:
            return
        method, place, _ = head.split(b"\r\n")[0].decode().split(" ")
        server.seen.append(f"{method} {place}")
        if f"proxy-authorization: {BASIC}".lower() not in head.decode().lower():
            self.request.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        address = urlsplit(f"//{place}" if method == "CONNECT" else place)
        with socket.create_connection((address.hostname or "", address.port or 80)) as upstream:
            if method == "CONNECT":
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.sendall(head.replace(place.encode(), address.path.encode(), 1))
            _relay(self.request, upstream)


class _Tls(BaseRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        with (
            suppress(OSError),
            server.context.wrap_socket(self.request, server_side=True) as client,
            socket.create_connection(("127.0.0.1", server.target)) as upstream,
        ):
            server.seen.append("TLS")
            _relay(client, upstream)


def _relay(one: socket.socket, other: socket.socket) -> None:
    back = Thread(target=_copy, args=(other, one), daemon=True)
    back.start()
    _copy(one, other)
    back.join(5)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def _serving(handler: type[BaseRequestHandler], target: int, context: ssl.SSLContext | None) -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), handler) as server:
        server.seen, server.target, server.context = [], target, context
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def proxy() -> Iterator[tuple[int, list[str]]]:
    """Serve the proxy; yields its port and the first lines of the requests it gets."""
    with _serving(_Proxy, 0, None) as server:
        yield server.server_address[1], server.seen


@contextmanager
def tls(folder: Path, target: int) -> Iterator[tuple[int, Path]]:
    """Serve a local port over TLS; yields the port and the file of its authority's certificate."""
    bundle = folder / "authority.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificates(folder, bundle))
    with _serving(_Tls, target, context) as server:
        yield server.server_address[1], bundle


def _certificates(folder: Path, bundle: Path) -> Path:
    """Make an authority and, signed by it, a certificate of 127.0.0.1; return the file of the latter with its key."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("authority", "authority", authority_key, authority_key, is_authority=True)
    own = _certificate("127.0.0.1", "authority", key, authority_key, is_authority=False)
    bundle.write_bytes(authority.public_bytes(Encoding.PEM))
    chain = folder / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(secret + own.public_bytes(Encoding.PEM))
    return chain


def _certificate(name: str, issuer: str, key: Any, signer: Any, *, is_authority: bool) -> x509.Certificate:
    subject, by = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (name, issuer))
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, SHA256())
