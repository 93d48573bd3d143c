"""Who may ask: this user of this machine, or who has the token; never a page of another site."""

import hmac
import os
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from otcpipe.settings.exposure import is_loopback
from otcpipe.web import peers, problems

COOKIE = "otcpipe_token"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
OPEN_TO_ORIGINS = ("/api/", "/widgets.json", "/apps.json", "/openapi.json")
METHODS = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
UNKNOWN = (
    "This server is another user's, or needs its token: send it as `Authorization: Bearer TOKEN` or `?token=TOKEN`."
)


@dataclass(frozen=True)
class Access:
    """Middleware that refuses who may not ask, and adds the headers that keep a browser safe."""

    app: ASGIApp
    token: str
    origins: Collection[str]
    methods: Collection[str] = METHODS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; connections of other kinds than HTTP are not served."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            asked = HTTPConnection(scope)
            origin = self._allowed_origin(asked)

            async def send_safely(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _protect(MutableHeaders(scope=message), origin)
                await send(message)

            response = self._own_answer(asked, origin)
            await (response or self.app)(scope, receive, send_safely)

    def _own_answer(self, asked: HTTPConnection, origin: str | None) -> Response | None:
        """Return a refusal, a redirect or the answer to a preflight; None for a request that is to be answered."""
        scope = asked.scope
        if scope["method"] not in self.methods:
            response = problems.response(scope, 405, "Only GET and HEAD are served: nothing here can be changed.")
            response.headers["Allow"] = ", ".join(self.methods)
            return response
        if scope["method"] == "OPTIONS":
            return problems.preflight(is_allowed=origin is not None)
        if origin is None and _is_foreign(asked):
            return problems.response(scope, 403, "Pages of other sites may not ask.")
        if not self._is_known(asked):
            response = problems.response(scope, 401, UNKNOWN)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        is_page = "text/html" in asked.headers.get("accept", "")
        return _with_cookie(asked) if is_page and "token" in asked.query_params else None

    def _allowed_origin(self, asked: HTTPConnection) -> str | None:
        """Return the other site that asks, if it may; only the API is open to any."""
        origin = asked.headers.get("origin")
        return origin if origin in self.origins and asked.url.path.startswith(OPEN_TO_ORIGINS) else None

    def _is_known(self, asked: HTTPConnection) -> bool:
        kind, _, bearer = asked.headers.get("authorization", "").partition(" ")
        given = [
            bearer if kind.casefold() == "bearer" else "",
            asked.cookies.get(COOKIE, ""),
            asked.query_params.get("token", ""),
        ]
        if self.token and sum(hmac.compare_digest(one.encode(), self.token.encode()) for one in given):
            return True
        return _is_from_this_user(asked) and _host_name(asked) in LOOPBACK_NAMES


def _is_from_this_user(asked: HTTPConnection) -> bool:
    client, server = asked.client, asked.scope.get("server")
    if client is None or server is None or not (is_loopback(client.host) and is_loopback(server[0])):
        return False
    return peers.user_of((client.host, client.port), (server[0], server[1])) == os.geteuid()


def _host_name(asked: HTTPConnection) -> str:
    """Return the name in the header Host: a site whose name leads to this machine still gives its own."""
    host = asked.headers.get("host", "")
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host


def _is_foreign(asked: HTTPConnection) -> bool:
    """Return whether a page of another site asks; to follow a link from one is allowed."""
    headers = asked.headers
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    is_own = origin is None or origin == f"{asked.url.scheme}://{headers.get('host')}"
    is_link = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    return not is_own or (site in ("cross-site", "same-site") and not is_link)


def _with_cookie(asked: HTTPConnection) -> Response:
    """Put the token into a cookie and out of the address, which others may see."""
    rest = [(name, text) for name, text in asked.query_params.multi_items() if name != "token"]
    target = "/" + asked.url.path.lstrip("/") + (f"?{urlencode(rest)}" if rest else "")
    response = RedirectResponse(target, 303)
    is_encrypted = asked.url.scheme == "https"
    response.set_cookie(COOKIE, asked.query_params["token"], httponly=True, samesite="strict", secure=is_encrypted)
    return response


def _protect(headers: MutableHeaders, origin: str | None) -> None:
    for name, text in HEADERS.items():
        headers.setdefault(name, text)
    headers.add_vary_header("Origin")
    if origin:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = "Link, ETag"
