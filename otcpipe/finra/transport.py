"""One exchange over HTTP: a request, and its complete answer within bounds, or an error."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from isal import isal_zlib

from otcpipe.errors import Defective, Invalid
from otcpipe.finra.limits import TooLarge, limited
from otcpipe.finra.sockets import Adapter
from otcpipe.storage import gz

MAX_BYTES = 8 << 20  # of a body, compressed and expanded; FINRA's own bound is 3 MB
HEAD_BYTES = 1 << 20  # for headers and framing
CHUNK = 1 << 16
MAX_COOKIES = 50
NOT_ADMITTED = "407"  # Proxy Authentication Required


@dataclass(frozen=True)
class Answer:
    """An answer with its body, complete as far as HTTP can detect."""

    status: int
    headers: Mapping[str, str]  # names are case-insensitive
    body: bytes


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: requests would read the body of a redirect without bounds, even if it does not follow it."""


class Transport:
    """Persistent connections; `timeout` is the seconds to connect, and for the whole answer.

    `proxy` is the URL of an HTTP proxy for all requests, `ca_bundle` a file of the authorities to trust instead of
    the public ones; raises Invalid if its certificates cannot be read.
    """

    def __init__(self, user_agent: str, timeout: tuple[float, float], proxy: str = "", ca_bundle: str = "") -> None:
        self._timeout = timeout
        self._proxy = proxy
        if ca_bundle:
            _check_bundle(ca_bundle)
        self.session = _Session()
        self.session.trust_env = False  # no credentials from ~/.netrc, no proxy from the environment
        self.session.proxies = {"http": proxy, "https": proxy} if proxy else {}
        self.session.verify = ca_bundle or True
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, Adapter(pool_maxsize=16))
        self.session.headers["User-Agent"] = user_agent
        self.session.headers["Accept-Encoding"] = "gzip"

    def send(self, method: str, url: str, **options: Any) -> Answer:
        """Return the answer; raises Defective if it is not complete in time, TooLarge beyond the bounds of a page."""
        if len(self.session.cookies) > MAX_COOKIES:
            self.session.cookies.clear()
        try:
            with (
                limited(self._timeout[1], MAX_BYTES + HEAD_BYTES),
                self.session.request(
                    method, url, timeout=self._timeout, allow_redirects=False, stream=True, **options
                ) as response,
            ):
                return Answer(response.status_code, response.headers, _body(response))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise Defective(self._sentence(url, error)) from None  # its cause may quote the proxy's password

    def _sentence(self, url: str, error: Exception) -> str:
        host = urlsplit(url).netloc.rpartition("@")[2]
        if isinstance(error, requests.exceptions.ProxyError):
            proxy = urlsplit(self._proxy).netloc.rpartition("@")[2]
            why = "refuses its user or password" if NOT_ADMITTED in str(error) else f"does not connect to {host}"
            return f"The proxy of OTCPIPE_FINRA_PROXY at {proxy} {why}."
        if isinstance(error, requests.exceptions.SSLError):
            return f"The certificate of {host} is not trusted: OTCPIPE_CA_BUNDLE names a file of trusted authorities."
        return f"FINRA at {host} does not answer: {type(error).__name__}."


def _check_bundle(path: str) -> None:
    try:
        ssl.create_default_context(cafile=path)
    except OSError:  # SSLError is one
        raise Invalid("OTCPIPE_CA_BUNDLE must be the path of a file of certificates in PEM.") from None


def _body(response: requests.Response) -> bytes:
    """Return the complete body, expanded."""
    received = bytearray()
    for chunk in response.raw.stream(CHUNK, decode_content=False):
        received += chunk
        if len(received) > MAX_BYTES:
            raise TooLarge(f"FINRA's answer has more than {MAX_BYTES >> 20} MiB, too much for a page.")
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("gzip", "x-gzip") and received:
        return expand(bytes(received))
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Defective("FINRA's answer has an encoding that was not requested.")
    return bytes(received)


def expand(packed: bytes, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of one gzip member; raises Defective unless the member ends exactly with the bytes."""
    member = isal_zlib.decompressobj(gz.GZIP_WINDOW_BITS)
    try:
        content = member.decompress(packed, max_bytes + 1)
    except gz.DAMAGED:
        raise Defective("FINRA's answer is damaged gzip data.") from None
    if len(content) > max_bytes:
        raise TooLarge(f"FINRA's answer expands to more than {max_bytes >> 20} MiB, too much for a page.")
    if not member.eof or member.unused_data:
        raise Defective("FINRA's answer is gzip data that is truncated or has trailing bytes.")
    return content
