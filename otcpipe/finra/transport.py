"""One exchange over HTTP: a request, and its answer, whole and within bounds, or a fault."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from otcpipe.errors import Defective
from otcpipe.finra.limits import TooLarge, limited
from otcpipe.finra.sockets import Adapter

MOST_BYTES = 8 << 20  # of a body, as sent and as expanded; FINRA's own bound is 3 MB
HEAD_BYTES = 1 << 20  # for headers and framing
CHUNK = 1 << 16
MOST_COOKIES = 50
GZIP = 31  # zlib's word for gzip with the largest window


@dataclass(frozen=True)
class Answer:
    """An answer whose body came whole, as far as HTTP can tell."""

    status: int
    headers: Mapping[str, str]  # whose names have no case
    body: bytes


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: even where redirects are not followed, requests would read a redirect's body without bounds."""


class Transport:
    """Connections that are kept; `timeout` is the seconds to connect, and for a whole answer."""

    def __init__(self, user_agent: str, timeout: tuple[float, float]) -> None:
        self._timeout = timeout
        self.session = _Session()
        self.session.trust_env = False  # no credentials from ~/.netrc, and no proxy unasked
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, Adapter(pool_maxsize=16))
        self.session.headers["User-Agent"] = user_agent
        self.session.headers["Accept-Encoding"] = "gzip"

    def send(self, method: str, url: str, **options: Any) -> Answer:
        """Raises Defective when no whole answer comes in time, TooLarge when it is out of all proportion."""
        if len(self.session.cookies) > MOST_COOKIES:
            self.session.cookies.clear()
        try:
            with (
                limited(self._timeout[1], MOST_BYTES + HEAD_BYTES),
                self.session.request(
                    method, url, timeout=self._timeout, allow_redirects=False, stream=True, **options
                ) as response,
            ):
                return Answer(response.status_code, response.headers, _body(response))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise Defective(
                f"FINRA at {urlsplit(url).netloc.rpartition('@')[2]} does not answer: {type(error).__name__}."
            ) from error


def _body(response: requests.Response) -> bytes:
    """The whole body, expanded."""
    received = bytearray()
    for chunk in response.raw.stream(CHUNK, decode_content=False):
        received += chunk
        if len(received) > MOST_BYTES:
            raise TooLarge(f"FINRA's answer has more than {MOST_BYTES >> 20} MiB, which no page has.")
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("gzip", "x-gzip") and received:
        return expand(bytes(received))
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Defective("FINRA's answer is compressed in a way that was not asked for.")
    return bytes(received)


def expand(packed: bytes, most: int = MOST_BYTES) -> bytes:
    """The content of one gzip member; raises Defective unless it ends just where the bytes do."""
    member = zlib.decompressobj(GZIP)
    try:
        content = member.decompress(packed, most + 1)
    except zlib.error:
        raise Defective("FINRA's answer is damaged gzip data.") from None
    if len(content) > most:
        raise TooLarge(f"FINRA's answer expands to more than {most >> 20} MiB, which no page has.")
    if not member.eof or member.unused_data:
        raise Defective("FINRA's answer is gzip data that breaks off, or that goes on after its end.")
    return content
